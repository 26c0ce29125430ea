{{ config(meta={'dagster': {'ref': {'name': 'fct_roi'}}}) }}

-- Every total of fct_roi is the sum of its rows in fct_issue_roi, and these are the sum of theirs in fct_issue_outcomes.
{% set columns = [
    'benefit_revenue', 'benefit_refunds', 'benefit_support', 'benefit_customers', 'benefit', 'benefit_frozen',
    'not_attributed_value', 'worsened_value', 'cost_engineering', 'cost_wrong_acts', 'tickets', 'wrong_acts'
] %}
with totals as (

    {% for column in columns %}
        select
            '{{ column }}' as total,
            (select coalesce(sum({{ column }}), 0.0) from {{ ref('fct_roi') }}) as above,
            (select coalesce(sum({{ column }}), 0.0) from {{ ref('fct_issue_roi') }}) as below
        union all
    {% endfor %}
    select
        'issues' as total,
        (select coalesce(sum(issues), 0) from {{ ref('fct_roi') }}) as above,
        (select count(*) from {{ ref('fct_issues') }}) as below
    union all
    select
        'kinds' as total,
        (select coalesce(sum(benefit), 0.0) from {{ ref('fct_roi') }}) as above,
        (
            select coalesce(sum(benefit_revenue + benefit_refunds + benefit_support + benefit_customers), 0.0)
            from {{ ref('fct_roi') }}
        ) as below
    union all
    select
        'cost' as total,
        (select coalesce(sum(cost), 0.0) from {{ ref('fct_roi') }}) as above,
        (
            select coalesce(sum(cost_engineering + cost_running + cost_wrong_acts), 0.0)
            from {{ ref('fct_roi') }}
        ) as below
    union all
    select
        'outcomes' as total,
        (
            select coalesce(sum(benefit + not_attributed_value + worsened_value), 0.0)
            from {{ ref('fct_issue_roi') }}
        ) as above,
        (
            select coalesce(sum(value), 0.0) from {{ ref('fct_issue_outcomes') }}
            where comparator = 'untreated'
        ) as below

)

select *
from totals
where abs(above - below) > 0.005

{{ config(meta={'dagster': {'ref': {'name': 'fct_roadmap'}}}) }}

-- Every total of fct_roadmap, by product, is the sum of what it drills down to: complaints those of fct_feedback in the
-- window, customers those by segment, money that of the issues; and an issue's features add up to its complaints.
with totals as (

    select
        'complaints' as total,
        product,
        sum(complaints) as above,
        0.0 as below
    from {{ ref('fct_roadmap') }}
    group by product
    union all
    select
        'complaints' as total,
        feedback.product,
        0.0 as above,
        cast(count(*) as double) as below
    from {{ ref('fct_feedback') }} as feedback
    inner join {{ ref('taxonomy') }} as taxonomy on feedback.issue_type = taxonomy.issue_type
    where
        feedback.is_counted
        and taxonomy.actionable
        and feedback.counted_at > {{ as_of() }} - {{ days(var('roadmap_days')) }}
        and feedback.counted_at <= {{ as_of() }}
    group by feedback.product
    union all
    select
        'customers' as total,
        product,
        sum(customers) as above,
        0.0 as below
    from {{ ref('fct_roadmap') }}
    group by product
    union all
    select
        'customers' as total,
        product,
        0.0 as above,
        sum(customers) as below
    from {{ ref('fct_roadmap_segments') }}
    group by product
    {% for column in ['lost_value', 'lost_conversion_value'] %}
        union all
        select
            '{{ column }} of ' || issue_type || ', ' || feature as total,
            product,
            sum({{ column }}) as above,
            0.0 as below
        from {{ ref('fct_roadmap') }}
        group by product, issue_type, feature
        union all
        select
            '{{ column }} of ' || issue_type || ', ' || feature as total,
            product,
            0.0 as above,
            sum({{ column }}) as below
        from {{ ref('fct_roadmap_issues') }}
        group by product, issue_type, feature
    {% endfor %}
    union all
    select
        'share of ' || issue_id as total,
        product,
        1.0 as above,
        sum(complaint_share) as below
    from {{ ref('fct_roadmap_issues') }}
    group by issue_id, product

),

compared as (

    select
        total,
        product,
        sum(above) as above,
        sum(below) as below
    from totals
    group by total, product

)

select *
from compared
where abs(above - below) > 0.0001

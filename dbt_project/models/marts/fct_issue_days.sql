{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

with value_days as (

    select * from {{ ref('int_issue_value_days') }}

),

customers as (

    select
        issue_id,
        date_trunc('day', occurred_at) as day,
        count(distinct person_key) as customers
    from {{ ref('int_issue_feedback') }}
    group by issue_id, date_trunc('day', occurred_at)

)

select
    value_days.issue_id,
    issues.product,
    issues.issue_type,
    value_days.day,
    cast(value_days.complaints as bigint) as complaints,
    cast(sum(value_days.complaints) over so_far as bigint) as complaints_so_far,
    cast(coalesce(customers.customers, 0) as bigint) as customers,
    cast(value_days.support_complaints as bigint) as support_complaints,
    -- Least-squares slope over three days: half the difference between the last and the first.
    cast(
        value_days.complaints - lag(value_days.complaints, 2) over (
            partition by value_days.issue_id
            order by value_days.day
        ) as double
    ) / 2.0 as complaints_slope,
    case
        when value_days.entered > 0 then {{ rounded('value_days.completed / value_days.entered') }}
    end as conversion,
    value_days.churn_so_far,
    value_days.refund_so_far,
    value_days.lost_conversion_so_far,
    value_days.revenue_at_risk_so_far
from value_days
inner join {{ ref('int_issues') }} as issues on value_days.issue_id = issues.issue_id
left join customers on value_days.issue_id = customers.issue_id and value_days.day = customers.day
window so_far as (
    partition by value_days.issue_id
    order by value_days.day
    rows unbounded preceding
)

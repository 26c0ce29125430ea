{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

-- Course of each issue: what was said, and what failed beyond the usual, at each instant of its life. Value of a
-- failure: as in int_issue_business; nothing where the funnel shows no fall beyond chance.
with complaints as (

    select
        issue_id,
        occurred_at,
        is_support,
        person_key,
        row_number() over (
            partition by issue_id, person_key
            order by occurred_at asc, feedback_id asc
        ) as place
    from {{ ref('int_issue_feedback') }}

),

said as (

    select
        issue_id,
        occurred_at as happened_at,
        count(*) as complaints,
        count(*) filter (where is_support) as support_complaints,
        count(*) filter (where place = 1) as new_customers,
        cast(null as double) as entered,
        cast(null as double) as completed,
        cast(null as double) as failed_attempts,
        cast(null as double) as lost_value
    from complaints
    group by issue_id, occurred_at

),

measured as (

    select
        funnel.issue_id,
        funnel.bucket_start as happened_at,
        0 as complaints,
        0 as support_complaints,
        0 as new_customers,
        funnel.entered,
        funnel.completed,
        business.conversion_before * funnel.entered - funnel.completed as failed_attempts,
        case when evidence.has_business then business.order_share * business.average_order_value else 0.0 end
        * (business.conversion_before * funnel.entered - funnel.completed) as lost_value
    from {{ ref('int_issue_funnel') }} as funnel
    inner join {{ ref('int_issue_business') }} as business on funnel.issue_id = business.issue_id
    inner join {{ ref('int_issue_evidence') }} as evidence on funnel.issue_id = evidence.issue_id

),

happened as (

    select * from said
    union all
    select * from measured

)

select
    issue_id,
    happened_at,
    cast(sum(complaints) as bigint) as complaints,
    cast(sum(support_complaints) as bigint) as support_complaints,
    cast(sum(new_customers) as bigint) as new_customers,
    max(entered) as entered,
    max(completed) as completed,
    {{ rounded('max(failed_attempts)') }} as failed_attempts,
    {{ rounded('max(lost_value)') }} as lost_value
from happened
group by issue_id, happened_at

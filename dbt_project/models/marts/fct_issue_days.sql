{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

with issues as (

    select
        issues.*,
        scope.scope_platform,
        taxonomy.funnel_step,
        {{ day_of('issues.first_tick') }} as first_day,
        {{ day_of('issues.ended_at') }} as last_day
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('int_issue_scope') }} as scope on issues.issue_id = scope.issue_id
    inner join {{ ref('taxonomy') }} as taxonomy on issues.issue_type = taxonomy.issue_type

),

digits as (

    select numbers.n from {{ numbers(0, 9) }}

),

-- Days of each issue, up to a thousand.
days as (

    select
        issues.*,
        issues.first_day + (ones.n + 10 * tens.n + 100 * hundreds.n) * {{ days(1) }} as day
    from issues
    cross join digits as ones
    cross join digits as tens
    cross join digits as hundreds
    where issues.first_day + (ones.n + 10 * tens.n + 100 * hundreds.n) * {{ days(1) }} <= issues.last_day

),

complained as (

    select
        issue_id,
        {{ day_of(tick_of('counted_at')) }} as day,
        cast(count(*) as double) as complaints,
        cast(count(distinct person_key) as double) as customers,
        cast(count(*) filter (where is_support) as double) as support_complaints
    from {{ ref('int_issue_feedback') }}
    group by issue_id, {{ day_of(tick_of('counted_at')) }}

),

funnel as (

    select
        days.issue_id,
        days.day,
        sum(cast(funnel.entered as double)) as entered,
        sum(cast(funnel.completed as double)) as completed
    from days
    inner join {{ ref('stg_funnel_metrics') }} as funnel
        on
            days.product = funnel.product
            and days.funnel_step = funnel.step
            and days.day <= funnel.bucket_start
            and days.day + {{ days(1) }} > funnel.bucket_start
            and days.ended_at > funnel.bucket_start
            and coalesce(days.scope_platform = funnel.platform, true)
    group by days.issue_id, days.day

),

-- Complaints of the day before the first elevated tick, which belong to the issue (int_issue_feedback), count on day
-- one.
joined as (

    select
        days.issue_id,
        days.product,
        days.issue_type,
        days.day,
        coalesce(sum(complained.complaints), 0.0) as complaints,
        coalesce(sum(complained.customers), 0.0) as customers,
        coalesce(sum(complained.support_complaints), 0.0) as support_complaints,
        max(funnel.entered) as entered,
        max(funnel.completed) as completed
    from days
    left join complained
        on
            days.issue_id = complained.issue_id
            and (days.day = complained.day or (days.day = days.first_day and days.first_day > complained.day))
    left join funnel on days.issue_id = funnel.issue_id and days.day = funnel.day
    group by days.issue_id, days.product, days.issue_type, days.day

)

select
    issue_id,
    product,
    issue_type,
    day,
    complaints,
    sum(complaints) over so_far as complaints_so_far,
    customers,
    support_complaints,
    -- Least-squares slope over three days: half the difference between the last and the first.
    (complaints - lag(complaints, 2) over (partition by issue_id order by day)) / 2.0 as complaints_slope,
    case when entered > 0 then {{ rounded('completed / entered') }} end as conversion
from joined
window so_far as (
    partition by issue_id
    order by day
    rows unbounded preceding
)

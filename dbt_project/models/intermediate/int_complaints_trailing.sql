-- Counts over the last 24 and 72 hours at every hourly tick at which either is above zero.
with hourly as (

    select * from {{ ref('int_complaints_hourly') }}

),

digits as (

    select numbers.n from (values (0), (1), (2), (3), (4), (5), (6), (7), (8)) as numbers (n)

),

hours_ahead as (

    select ones.n + 9 * nines.n as hours
    from digits as ones
    cross join digits as nines
    where ones.n + 9 * nines.n < 72

),

spread as (

    select
        hourly.product,
        hourly.issue_type,
        hourly.scope_kind,
        hourly.scope_value,
        hourly.tick + hours_ahead.hours * interval '1' hour as tick,
        hourly.feedback_count,
        hours_ahead.hours
    from hourly
    cross join hours_ahead

)

select
    product,
    issue_type,
    scope_kind,
    scope_value,
    tick,
    cast(coalesce(sum(feedback_count) filter (where hours < 24), 0) as bigint) as count_24h,
    cast(sum(feedback_count) as bigint) as count_72h
from spread
where tick <= {{ as_of() }}
group by product, issue_type, scope_kind, scope_value, tick

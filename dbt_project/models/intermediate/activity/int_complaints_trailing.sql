-- Counts over the last 24 and 72 hours, at every tick at which one of them changes: when something is said, and when it
-- leaves a window. Until the next such tick (it may lie ahead: when what was said leaves) they stay what they are.
with counted as (

    select * from {{ ref('int_complaints') }}
    where tick > {{ rebuild_from() }} - interval '72' hour

),

changes as (

    select
        product,
        issue_type,
        scope_kind,
        scope_value,
        tick,
        feedback_count as change_24h,
        feedback_count as change_72h
    from counted

    union all

    select
        product,
        issue_type,
        scope_kind,
        scope_value,
        tick + interval '24' hour as tick,
        -feedback_count as change_24h,
        0 as change_72h
    from counted

    union all

    select
        product,
        issue_type,
        scope_kind,
        scope_value,
        tick + interval '72' hour as tick,
        0 as change_24h,
        -feedback_count as change_72h
    from counted

),

ticks as (

    select
        product,
        issue_type,
        scope_kind,
        scope_value,
        tick,
        sum(change_24h) as change_24h,
        sum(change_72h) as change_72h
    from changes
    group by product, issue_type, scope_kind, scope_value, tick

),

running as (

    select
        product,
        issue_type,
        scope_kind,
        scope_value,
        tick,
        lead(tick) over series as next_tick,
        sum(change_24h) over so_far as count_24h,
        sum(change_72h) over so_far as count_72h
    from ticks
    window
        series as (
            partition by product, issue_type, scope_kind, scope_value
            order by tick
        ),
        so_far as (
            partition by product, issue_type, scope_kind, scope_value
            order by tick
            rows unbounded preceding
        )

)

select
    product,
    issue_type,
    scope_kind,
    scope_value,
    tick,
    next_tick as valid_to,
    cast(count_24h as bigint) as count_24h,
    cast(count_72h as bigint) as count_72h
from running
where count_72h > 0 and tick > {{ rebuild_from() }} and tick <= {{ as_of() }}

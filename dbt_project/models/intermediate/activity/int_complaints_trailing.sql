-- Counts over the last 24 and 72 hours, at every tick at which one of them changes: when feedback enters or leaves a
-- window. Until the next such tick (which may lie ahead) the counts stay the same.
with counted as (

    select * from {{ ref('int_complaints') }}
    where tick > {{ rebuild_from() }} - {{ hours(var('trailing_hours')) }}

),

running as (

    {{ trailing_sum(
        'counted', ['product', 'issue_type', 'scope_kind', 'scope_value'], 'feedback_count', [24, var('trailing_hours')]
    ) }}

)

select
    product,
    issue_type,
    scope_kind,
    scope_value,
    tick,
    next_tick as valid_to,
    cast(last_24h as bigint) as count_24h,
    cast(last_72h as bigint) as count_72h
from running
where last_72h > 0 and tick > {{ rebuild_from() }} and tick <= {{ as_of() }}

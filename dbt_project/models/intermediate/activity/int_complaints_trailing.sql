-- Counts and evidence over the last 24 and 72 hours, at every tick at which one of them changes: when feedback enters
-- or leaves a window. Until the next such tick (which may lie ahead) the counts stay the same.
with counted as (

    -- Decimals, so that what enters a sum leaves it without a remainder.
    select
        *,
        cast(evidence as decimal(18, 4)) as exact_evidence
    from {{ ref('int_complaints') }}
    where tick > {{ rebuild_from() }} - {{ hours(var('trailing_hours')) }}

),

running as (

    {{ trailing_sum(
        'counted', ['product', 'issue_type', 'scope_kind', 'scope_value'],
        {'count': 'feedback_count', 'calm': 'calm_count', 'evidence': 'exact_evidence'}, [24, var('trailing_hours')]
    ) }}

)

select
    product,
    issue_type,
    scope_kind,
    scope_value,
    tick,
    next_tick as valid_to,
    cast(count_24h as bigint) as count_24h,
    cast(count_72h as bigint) as count_72h,
    cast(calm_24h as bigint) as calm_24h,
    cast(calm_72h as bigint) as calm_72h,
    cast(evidence_24h as double) as evidence_24h,
    cast(evidence_72h as double) as evidence_72h
from running
where count_72h > 0 and tick > {{ rebuild_from() }} and tick <= {{ as_of() }}

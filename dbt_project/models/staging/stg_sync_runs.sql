-- Pushes that had something to do, by destination.
select
    run_id,
    destination,
    cast(started_at as timestamp) as started_at,
    cast(finished_at as timestamp) as finished_at,
    created,
    updated,
    resolved,
    unchanged,
    rejected,
    unknown,
    deferred,
    twins,
    problems
from {{ source('lake', 'sync_runs') }}
where cast(known_at as timestamp) <= {{ as_of() }}

-- Attempts at outbound writes, and look-ups of their outcome.
select
    attempt_id,
    intent_id,
    issue_id,
    destination,
    kind,
    outcome,
    reason,
    cast(occurred_at as timestamp) as occurred_at
from {{ source('lake', 'sync_attempts') }}
where cast(known_at as timestamp) <= {{ as_of() }}

-- Each try at an outbound write, and each look-up of what became of one.
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

-- Current state of every ticket in the ledger: a reference table without history, so as-of does not apply.
select
    intent_id,
    issue_id,
    destination,
    sequence,
    action,
    state,
    owner,
    external_id,
    url,
    reason,
    attempts,
    cast(created_at as timestamp) as created_at,
    cast(confirmed_at as timestamp) as confirmed_at,
    cast(known_at as timestamp) as known_at
from {{ source('lake', 'sync_snapshot') }}

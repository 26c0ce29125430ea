-- Mitigations of playbook.yml, for each issue type that they are for.
with source as (

    select * from {{ source('lake', 'playbook_mitigations') }}

)

select
    mitigation,
    issue_type,
    target,
    item,
    desired,
    product,
    feature,
    platform,
    country,
    suspect_kind,
    service,
    tier,
    least_priority,
    least_signals,
    least_confidence,
    mode,
    verify_metric,
    verify_minutes,
    cooldown_hours,
    max_per_day,
    undo
from source

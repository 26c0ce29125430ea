-- Targets of playbook.yml: the control systems where a state can be set.
with source as (

    select * from {{ source('lake', 'playbook_targets') }}

)

select
    target,
    kind,
    environment,
    product,
    service,
    critical
from source

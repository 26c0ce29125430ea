-- Rules of playbook.yml per issue type, defaults filled in.
with source as (

    select * from {{ source('lake', 'playbook_rules') }}

)

select
    issue_type,
    priority_floor,
    ticket_from,
    action_regression,
    action_otherwise,
    links
from source

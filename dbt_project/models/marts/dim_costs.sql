select
    cost_currency,
    cost_support_contact,
    cost_engineer_hour,
    cost_hours_per_ticket,
    cost_running_month,
    cost_wrong_act
from {{ ref('stg_playbook_settings') }}

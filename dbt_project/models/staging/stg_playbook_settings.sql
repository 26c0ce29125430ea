-- The thresholds and unit costs of playbook.yml, landed by decisioning before each build.
with source as (

    select * from {{ source('lake', 'playbook_settings') }}

)

select
    open_score,
    open_score_scoped,
    close_score,
    urgent_score,
    urgent_score_confirmed,
    min_excess,
    min_ratio,
    quiet_hours,
    min_baseline_days,
    false_alarm_budget,
    regression_confidence,
    no_regression_confidence,
    rollback_alpha,
    min_evidence,
    alone_alpha,
    weight_verified_purchase,
    weight_known_account,
    weight_open_web,
    weight_unknown,
    weight_server,
    weight_client,
    canned_people,
    canned_days,
    urgent_known_people,
    urgent_people,
    p1_from,
    p2_from,
    p3_from,
    max_automatic_per_day,
    breaker_after,
    cost_currency,
    cost_support_contact,
    cost_engineer_hour,
    cost_hours_per_ticket,
    cost_running_month,
    cost_wrong_act
from source

{{ config(materialized='view') }}

select
    product,
    issue_type,
    scope_kind,
    scope_value,
    tick,
    feedback_count_72h,
    evidence_24h,
    expected,
    score,
    complaints_log_e_value,
    technical_log_e_value,
    business_log_e_value,
    change_log_e_value,
    hours_since_change,
    log_e_value,
    times_needed,
    can_open
from {{ ref('int_joint_evidence') }}

{{ config(materialized='view') }}

select
    issue_id,
    detected_at,
    signal,
    measure,
    measured_kind,
    measured_value,
    trials,
    amount,
    expected,
    log_e_value
from {{ ref('int_issue_signals') }}

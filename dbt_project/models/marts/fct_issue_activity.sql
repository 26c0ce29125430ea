{{ config(materialized='view') }}

select
    product,
    issue_type,
    scope_kind,
    scope_value,
    tick,
    valid_to,
    feedback_count,
    feedback_count_72h,
    evidence,
    evidence_72h,
    exposure,
    exposure_kind,
    baseline_days,
    dispersion,
    expected,
    expected_72h,
    explained,
    explained_72h,
    excess,
    excess_72h,
    score,
    score_72h
from {{ ref('int_issue_activity') }}

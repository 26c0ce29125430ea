{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

select
    issue_id,
    position,
    kind,
    subject,
    subject_title,
    stance,
    measure,
    value,
    baseline,
    share,
    counted,
    total,
    happened_at,
    sentence
from {{ ref('int_issue_evidence_items') }}

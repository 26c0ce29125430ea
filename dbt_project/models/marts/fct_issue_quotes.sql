{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

select
    issue_id,
    cast(quote_rank as int) as quote_rank,
    feedback_id,
    text,
    channel,
    occurred_at,
    rating,
    country,
    app_version,
    symptom,
    is_in_scope
from {{ ref('int_issue_quotes') }}

{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

with symptoms as (

    select
        issue_id,
        {{ json_list(
            {'symptom': 'symptom', 'is_phrase': 'is_phrase', 'complaints': 'complaints'}, ['position']
        ) }} as symptoms
    from {{ ref('int_issue_symptoms') }}
    group by issue_id

)

select
    facts.issue_id,
    facts.suspect_kind,
    facts.suspect_platform,
    facts.suspect_service,
    facts.suspect_previous_version,
    facts.suspect_url,
    facts.suspect_flag,
    facts.suspect_flag_enabled,
    facts.suspect_rollout_percent,
    facts.suspect_changed_at,
    facts.rollback_supported,
    facts.confidence_weighed,
    facts.confidence_to_blame,
    facts.platform_title,
    facts.direction,
    facts.latest_day,
    facts.complaints_latest_day,
    facts.complaints_day_before,
    facts.complaints_since,
    facts.usual_per_day,
    facts.currency,
    facts.currencies,
    facts.orders_lost,
    facts.lost_orders_value,
    facts.conversion_during,
    facts.conversion_before,
    facts.refund_value,
    facts.churn_value,
    coalesce(symptoms.symptoms, '[]') as symptoms
from {{ ref('int_issue_facts') }} as facts
left join symptoms on facts.issue_id = symptoms.issue_id

{{ config(materialized='incremental', meta={'rebuilt_by': 'counted_at'}, pre_hook="{{ forget_since('counted_at') }}") }}

-- Feedback with its label, the person behind it, and its weight as evidence.
with labelled as (

    select * from {{ ref('int_labelled_feedback') }}
    where counted_at > {{ rebuild_from() }}

),

people as (

    select * from {{ ref('int_feedback_people') }}
    where counted_at > {{ rebuild_from() }}

),

weights as (

    select * from {{ ref('int_feedback_weights') }}

)

select
    ---------- ids
    labelled.feedback_id,
    people.person_key,
    people.customer_id,
    labelled.order_id,
    labelled.model_version,
    labelled.label_version,
    labelled.rule_id,
    labelled.duplicate_of,

    ---------- text
    labelled.source,
    labelled.channel,
    labelled.product,
    labelled.title,
    labelled.text,
    labelled.masked_text,
    labelled.issue_type,
    labelled.secondary_type,
    labelled.best_type,
    labelled.runner_up_type,
    labelled.decided_by,
    labelled.abstain_reason,
    labelled.language,
    labelled.sentiment,
    labelled.entities,
    labelled.key_phrases,
    labelled.customer_segment,
    labelled.country,
    labelled.platform,
    labelled.platform_source,
    labelled.app_version,
    labelled.app_version_source,
    labelled.device,
    labelled.device_source,
    labelled.feature,
    labelled.feature_source,
    labelled.error_code,
    people.provenance,
    case when labelled.is_spam then 'spam' else weights.not_counted_because end as not_counted_because,

    ---------- numerics
    labelled.rating,
    labelled.nps_score,
    labelled.confidence,
    labelled.sentiment_score,
    cast(coalesce(weights.evidence_weight, 0.0) as double) as evidence_weight,

    ---------- booleans
    labelled.abstained,
    labelled.is_support,
    labelled.is_spam,
    people.is_known_person,
    people.is_new_account,
    coalesce(weights.is_established, false) as is_established,
    coalesce(weights.is_canned, false) as is_canned,
    not labelled.is_spam and weights.not_counted_because is null as is_counted,

    ---------- timestamps
    labelled.occurred_at,
    labelled.known_at,
    labelled.counted_at
from labelled
inner join people on labelled.feedback_id = people.feedback_id
left join weights on labelled.feedback_id = weights.feedback_id

{{ config(materialized='incremental', meta={'rebuilt_by': 'counted_at'}, pre_hook="{{ forget_since('counted_at') }}") }}

-- Feedback with its label, before it is decided which pieces count. A value that the source leaves empty is taken from
-- the text (macros/entities.sql). A complaint with four or five stars whose words are not negative is praise ("payment
-- was easy"): stars and words agree against the topic.
with feedback as (

    select * from {{ ref('stg_feedback') }}

),

labels as (

    select * from {{ ref('stg_labels') }}

),

channels as (

    select * from {{ ref('channels') }}

),

taxonomy as (

    select * from {{ ref('taxonomy') }}

),

judged as (

    select
        labels.*,
        coalesce(
            taxonomy.actionable and labels.sentiment <> 'negative'
            and (feedback.rating >= 4 or (feedback.rating is null and feedback.nps_score >= 9)),
            false
        ) as is_satisfied
    from labels
    inner join feedback on labels.feedback_id = feedback.feedback_id
    left join taxonomy on labels.issue_type = taxonomy.issue_type

),

joined as (

    select
        ---------- ids
        feedback.feedback_id,
        feedback.customer_id,
        feedback.order_id,
        feedback.account_id,
        feedback.household_id,
        feedback.device_id,
        feedback.author,
        labels.model_version,
        labels.label_version,
        labels.rule_id,
        labels.duplicate_of,

        ---------- text
        feedback.source,
        feedback.channel,
        feedback.product,
        labels.masked_text,
        case when labels.is_satisfied then 'praise' else labels.issue_type end as issue_type,
        labels.secondary_type,
        labels.best_type,
        labels.runner_up_type,
        case when labels.is_satisfied then 'stars' else labels.decided_by end as decided_by,
        labels.abstain_reason,
        labels.language,
        labels.sentiment,
        labels.entities,
        labels.key_phrases,
        feedback.customer_segment,
        feedback.country,
        {{ source_or_named('feedback.platform', 'labels.named_platform') }} as platform,
        {{ value_origin('feedback.platform', 'labels.named_platform') }} as platform_source,
        {{ source_or_named('feedback.app_version', 'labels.named_app_version') }} as app_version,
        {{ value_origin('feedback.app_version', 'labels.named_app_version') }} as app_version_source,
        {{ source_or_named('feedback.device', 'labels.named_device') }} as device,
        {{ value_origin('feedback.device', 'labels.named_device') }} as device_source,
        {{ source_or_named('feedback.feature', 'labels.named_feature') }} as feature,
        {{ value_origin('feedback.feature', 'labels.named_feature') }} as feature_source,
        -- From texts only: no source has a column for it.
        labels.named_error_code as error_code,

        ---------- numerics
        cast(feedback.rating as double) as rating,
        cast(feedback.nps_score as double) as nps_score,
        cast(labels.confidence as double) as confidence,
        cast(labels.sentiment_score as double) as sentiment_score,

        ---------- booleans
        labels.abstained,
        coalesce(channels.is_support, false) as is_support,
        coalesce(labels.is_spam, false) as is_spam,
        coalesce(channels.gives_own_ids, false) as gives_own_ids,

        ---------- timestamps
        feedback.occurred_at,
        feedback.known_at,
        {{ counted_at('feedback.occurred_at', 'feedback.known_at') }} as counted_at
    from feedback
    left join judged as labels on feedback.feedback_id = labels.feedback_id
    left join channels on feedback.channel = channels.channel

)

-- Incremental: a corrected version of a row that is already here is not inserted again.
select * from joined
where counted_at > {{ rebuild_from() }} and {{ is_new('feedback_id') }}

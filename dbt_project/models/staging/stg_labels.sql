-- Current label of each piece of feedback at the as-of instant: of its latest text (a corrected text has a label of its
-- own, known since the correction), the label made last.
with source as (

    select * from {{ source('lake', 'labels') }}
    where cast(known_at as timestamp) <= {{ as_of() }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by feedback_id
            order by known_at desc, labeled_at desc, model_version asc, text_hash asc
        ) as label_rank
    from source

),

renamed as (

    select
        ---------- ids
        feedback_id,
        model_version,
        label_version,
        rule_id,
        duplicate_of,

        ---------- text
        issue_type,
        secondary_type,
        decided_by,
        abstain_reason,
        language,
        sentiment,
        entities,
        {{ only_named('entities', 'platform') }} as named_platform,
        {{ only_named('entities', 'app_version') }} as named_app_version,
        {{ only_named('entities', 'device') }} as named_device,
        {{ only_named('entities', 'error_code') }} as named_error_code,
        {{ only_named('entities', 'feature') }} as named_feature,
        key_phrases,
        best_type,
        runner_up_type,
        masked_text,
        explanation,

        ---------- numerics
        confidence,
        runner_up_confidence,
        sentiment_score,

        ---------- booleans
        abstained,
        is_spam
    from ranked
    where label_rank = 1

)

select * from renamed

-- The newest label of each piece of feedback: relabelling with a new model adds rows, and the last one labelled counts.
with source as (

    select * from {{ source('lake', 'labels') }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by feedback_id
            order by labeled_at desc, model_version asc, text_hash asc
        ) as label_rank
    from source

),

renamed as (

    select
        ---------- ids
        feedback_id,
        model_version,

        ---------- text
        issue_type,
        best_type,
        runner_up_type,
        masked_text,
        explanation,

        ---------- numerics
        confidence,
        runner_up_confidence,

        ---------- booleans
        abstained
    from ranked
    where label_rank = 1

)

select * from renamed

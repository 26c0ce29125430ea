-- Weight of each piece of feedback as evidence, 0-1: people are counted, not texts. The rules stand in
-- docs/decisions.md.
with pieces as (

    select
        *,
        lag(counted_at) over (
            partition by product, issue_type, person_key
            order by counted_at, feedback_id
        ) as said_before_at
    from {{ ref('int_feedback_people') }}
    where not is_spam and counted_at > {{ rebuild_from() }} - {{ days(var('repetition_days')) }}

),

judged as (

    select
        feedback_id,
        counted_at,
        case
            when {{ seconds_between('said_before_at', 'counted_at') }} <= {{ var('repetition_days') * 86400 }}
                then 'repetition'
            when duplicate_of is not null and not is_known_person then 'copy'
        end as not_counted_because
    from pieces

)

select
    feedback_id,
    not_counted_because,
    cast(case when not_counted_because is null then 1.0 else 0.0 end as double) as evidence_weight
from judged
where counted_at > {{ rebuild_from() }}

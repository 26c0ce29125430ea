-- Weight of each piece of feedback as evidence, 0-1: people are counted, not texts (docs/decisions.md, "Who counts").
with pieces as (

    select
        people.*,
        not people.is_known_person or people.is_new_account as is_new_or_unknown,
        canned.feedback_id is not null as is_canned,
        people.duplicate_of is not null and not people.is_known_person and canned.feedback_id is null as is_copy,
        lag(people.counted_at) over (
            partition by people.product, people.issue_type, people.person_key
            order by people.counted_at, people.feedback_id
        ) as said_before_at
    from {{ ref('int_feedback_people') }} as people
    left join {{ ref('int_canned_feedback') }} as canned on people.feedback_id = canned.feedback_id
    where not people.is_spam and people.counted_at > {{ rebuild_from() }} - {{ days(var('evidence_days')) }}

),

flagged as (

    select
        *,
        coalesce(
            {{ seconds_between('said_before_at', 'counted_at') }} <= {{ var('repetition_days') * 86400 }}, false
        ) as is_repetition
    from pieces

),

named as (

    select
        *,
        is_copy and provenance = 'open_web' and not is_repetition as is_named_copy
    from flagged

),

-- Copies by people whose names anybody can make up are numbered each day.
numbered as (

    select
        *,
        row_number() over (
            partition by product, duplicate_of, is_named_copy, date_trunc('day', counted_at)
            order by counted_at, feedback_id
        ) as copy_number
    from named

),

-- Of those copies the 1st, 4th, 9th ... counts: as many as the square root of the people.
judged as (

    select
        *,
        case
            when is_repetition then 'repetition'
            when is_copy and not is_named_copy then 'copy'
            when is_named_copy and floor(sqrt(copy_number)) * floor(sqrt(copy_number)) < copy_number then 'copy'
        end as not_counted_because
    from numbered

),

-- Pieces of the last 24 hours on the same type and channel, and those by people new or unknown.
crowded as (

    select
        *,
        cast(count(case when not_counted_because is null then 1 end) over last_day as double) as pieces_24h,
        cast(count(case when not_counted_because is null and is_new_or_unknown then 1 end) over last_day as double)
            as new_or_unknown_24h
    from judged
    window last_day as (
        partition by product, issue_type, channel
        order by counted_at
        range between {{ days(1) }} preceding and current row
    )

),

compared as (

    select
        crowded.*,
        coalesce(usual.usual_share, 1.0) as usual_share,
        -- The most that chance makes of the usual share: three standard deviations above it.
        crowded.pieces_24h * coalesce(usual.usual_share, 1.0)
        + 3.0 * sqrt(crowded.pieces_24h * coalesce(usual.usual_share, 1.0) * (1.0 - coalesce(usual.usual_share, 1.0)))
        + 1.0 as most_usual
    from crowded
    left join {{ ref('int_usual_strangers') }} as usual
        on
            crowded.product = usual.product
            and crowded.channel = usual.channel
            and {{ day_of(tick_of('crowded.counted_at')) }} = usual.day
    where crowded.counted_at > {{ rebuild_from() }}

)

select
    feedback_id,
    not_counted_because,
    is_canned,
    -- Where most accounts are new (no orders or customers are connected), being new says nothing.
    is_known_person and not (is_new_account and usual_share < 0.5) as is_established,
    cast(case
        when not_counted_because is not null then 0.0
        when is_new_or_unknown
            then {{ rounded(
                'least(1.0, most_usual / new_or_unknown_24h) * least(1.0, most_usual / new_or_unknown_24h)', 4
            ) }}
        else 1.0
    end as double) as evidence_weight
from compared

-- Issues that this build judges (open, or with evidence that may have changed since the last build), with their times:
-- onset, detection, resolution.
with episodes as (

    select * from {{ ref('int_episodes') }}
    where is_live

),

-- Onset as far as text alone can tell: the first complaint of the first elevated day.
onset as (

    select
        episodes.issue_id,
        min(feedback.occurred_at) as first_complaint_at
    from episodes
    inner join {{ ref('int_feedback') }} as feedback
        on
            episodes.product = feedback.product
            and episodes.issue_type = feedback.issue_type
            and episodes.first_tick - {{ days(1) }} < feedback.counted_at
            and episodes.first_tick >= feedback.counted_at
            and episodes.first_tick - {{ hours(var('trailing_hours')) }} < feedback.occurred_at
    where feedback.counted_at > {{ history_from() }} and feedback.is_counted is not false
    group by episodes.issue_id

),

-- Recurrences: earlier issues of the same product and type within half a year.
earlier as (

    select
        episodes.issue_id,
        cast(count(*) as bigint) as recurrences
    from episodes
    inner join {{ ref('int_episodes') }} as before
        on
            episodes.product = before.product
            and episodes.issue_type = before.issue_type
            and episodes.detected_at > before.detected_at
            and episodes.detected_at - {{ days(var('recurrence_days')) }} <= before.detected_at
    group by episodes.issue_id

)

select
    episodes.issue_id,
    episodes.product,
    episodes.issue_type,
    coalesce(onset.first_complaint_at, episodes.first_tick - {{ days(1) }}) as started_at,
    episodes.first_tick,
    episodes.detected_at,
    episodes.resolved_at,
    case when episodes.resolved_at is null then 'open' else 'resolved' end as status,
    case when episodes.resolved_at is null then {{ as_of() }} else episodes.elevated_until end as ended_at,
    episodes.peak_score,
    episodes.peak_times_expected,
    coalesce(earlier.recurrences, 0) as recurrences
from episodes
left join onset on episodes.issue_id = onset.issue_id
left join earlier on episodes.issue_id = earlier.issue_id

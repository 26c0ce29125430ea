-- Issues that this build judges (open, or with evidence that may have changed since the last build), with their times:
-- onset, detection, resolution.
with episodes as (

    select * from {{ ref('int_episodes') }}
    where is_live

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
    onset.started_at,
    onset.onset_earliest,
    onset.onset_latest,
    onset.onset_by,
    episodes.first_tick,
    episodes.detected_at,
    episodes.resolved_at,
    case when episodes.resolved_at is null then 'open' else 'resolved' end as status,
    case when episodes.resolved_at is null then {{ as_of() }} else episodes.elevated_until end as ended_at,
    episodes.peak_score,
    episodes.peak_times_expected,
    coalesce(earlier.recurrences, 0) as recurrences
from episodes
inner join {{ ref('int_issue_onset') }} as onset on episodes.issue_id = onset.issue_id
left join earlier on episodes.issue_id = earlier.issue_id

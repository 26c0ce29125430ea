-- One row per issue with what follows from time alone: its id, when it began, when it was noticed, whether it is over.
with episodes as (

    select * from {{ ref('int_episodes') }}

),

feedback as (

    select * from {{ ref('fct_feedback') }}

),

-- The first complaint of the first elevated day is the best estimate of the onset that text alone gives.
onset as (

    select
        episodes.episode_key,
        min(feedback.occurred_at) as first_complaint_at
    from episodes
    inner join feedback
        on
            episodes.product = feedback.product
            and episodes.issue_type = feedback.issue_type
            and episodes.first_tick - interval '24' hour < feedback.counted_at
            and episodes.first_tick >= feedback.counted_at
            and episodes.first_tick - interval '72' hour < feedback.occurred_at
    group by episodes.episode_key

)

select
    'ISS-' || upper(substring(episodes.episode_key, 1, 10)) as issue_id,
    episodes.product,
    episodes.issue_type,
    coalesce(onset.first_complaint_at, episodes.first_tick - interval '24' hour) as started_at,
    episodes.first_tick,
    episodes.detected_at,
    episodes.last_tick,
    episodes.resolved_at,
    case when episodes.resolved_at is null then 'open' else 'resolved' end as status,
    case when episodes.resolved_at is null then {{ as_of() }} else episodes.last_tick end as ended_at,
    episodes.peak_score,
    episodes.peak_times_expected
from episodes
left join onset on episodes.episode_key = onset.episode_key

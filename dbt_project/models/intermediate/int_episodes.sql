-- Episodes: an issue opens when a count is far above expectation (`open_score`), stays open while it is somewhat above
-- (`close_score`), and is over after `quiet_hours` without either. Counts at past ticks never change, so neither does the
-- tick at which an episode was first alarming, which gives the issue its id.
with activity as (

    select
        activity.product,
        activity.issue_type,
        activity.tick,
        settings.quiet_hours,
        activity.feedback_count,
        activity.expected,
        activity.score,
        case
            when activity.scope_kind = 'all' then settings.open_score
            else settings.open_score_scoped
        end as open_at,
        case
            when activity.scope_kind = 'all' then settings.close_score
            else settings.open_score_scoped - settings.open_score + settings.close_score
        end as close_at,
        settings.min_excess,
        activity.excess,
        activity.excess_72h,
        activity.score_72h,
        activity.scope_kind
    from {{ ref('fct_issue_activity') }} as activity
    cross join {{ ref('stg_playbook_settings') }} as settings
    where activity.baseline_days >= settings.min_baseline_days

),

flagged as (

    select
        *,
        (score >= open_at and excess >= min_excess)
        or (score_72h >= open_at and excess_72h >= min_excess and score >= close_at) as is_alarm,
        score >= close_at and excess >= 0.4 * min_excess as is_elevated
    from activity

),

ticks as (

    select
        product,
        issue_type,
        tick,
        max(quiet_hours) as quiet_hours,
        max(case when is_alarm then 1 else 0 end) as is_alarm,
        max(score) as score,
        max(case when scope_kind = 'all' then excess end) as excess,
        max(case when scope_kind = 'all' then feedback_count / expected end) as times_expected
    from flagged
    where is_alarm or is_elevated
    group by product, issue_type, tick

),

gaps as (

    select
        *,
        case
            when
                {{ seconds_between('lag(tick) over (partition by product, issue_type order by tick)', 'tick') }}
                <= quiet_hours * 3600.0
                then 0
            else 1
        end as starts_episode
    from ticks

),

numbered as (

    select
        *,
        sum(starts_episode) over (partition by product, issue_type order by tick rows unbounded preceding) as episode_number
    from gaps

),

episodes as (

    select
        product,
        issue_type,
        episode_number,
        min(tick) as first_tick,
        min(case when is_alarm = 1 then tick end) as detected_at,
        max(tick) as last_tick,
        max(score) as peak_score,
        max(times_expected) as peak_times_expected,
        max(quiet_hours) as quiet_hours
    from numbered
    group by product, issue_type, episode_number
    having max(is_alarm) = 1

)

select
    md5(concat_ws('|', product, issue_type, cast(detected_at as {{ dbt.type_string() }}))) as episode_key,
    product,
    issue_type,
    first_tick,
    detected_at,
    last_tick,
    peak_score,
    peak_times_expected,
    case
        when last_tick + quiet_hours * interval '1' hour <= {{ as_of() }}
            then last_tick + quiet_hours * interval '1' hour
    end as resolved_at
from episodes

-- Episodes: an issue opens when a count is far above expectation (`open_score`), stays open while it is somewhat above
-- (`close_score`), and is over after `quiet_hours` without either. It began with the rise that led to the first alarm:
-- back to where nothing was elevated for 12 hours. (Chance alone elevates an hour now and then; going back through
-- every such hour within `quiet_hours` would put the onset before the release that caused it.) The tick of the first
-- alarm gives the issue its id: counts at past ticks do not change as time goes on, so neither does the id.
with activity as (

    select
        activity.product,
        activity.issue_type,
        activity.scope_kind,
        activity.tick,
        activity.feedback_count,
        activity.expected,
        activity.excess,
        activity.excess_72h,
        activity.score,
        activity.score_72h,
        settings.quiet_hours,
        settings.min_excess,
        case
            when activity.scope_kind = 'all' then settings.open_score
            else settings.open_score_scoped
        end as open_at,
        case
            when activity.scope_kind = 'all' then settings.close_score
            else settings.open_score_scoped - settings.open_score + settings.close_score
        end as close_at
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
        max(greatest(score, score_72h)) as score,
        max(case when scope_kind = 'all' then feedback_count / expected end) as times_expected
    from flagged
    where is_alarm or is_elevated
    group by product, issue_type, tick

),

gaps as (

    select
        *,
        {{ seconds_between('lag(tick) over (partition by product, issue_type order by tick)', 'tick') }}
        / 3600.0 as hours_since_last
    from ticks

),

numbered as (

    select
        *,
        sum(case when hours_since_last <= quiet_hours then 0 else 1 end) over (
            partition by product, issue_type
            order by tick
            rows unbounded preceding
        ) as episode_number,
        sum(case when hours_since_last <= 12.0 then 0 else 1 end) over (
            partition by product, issue_type
            order by tick
            rows unbounded preceding
        ) as rise_number
    from gaps

),

rises as (

    select
        *,
        min(tick) over (partition by product, issue_type, episode_number, rise_number) as rise_start
    from numbered

),

episodes as (

    select
        product,
        issue_type,
        episode_number,
        min(case when is_alarm = 1 then rise_start end) as first_tick,
        min(case when is_alarm = 1 then tick end) as detected_at,
        max(tick) as last_tick,
        max(score) as peak_score,
        max(times_expected) as peak_times_expected,
        max(quiet_hours) as quiet_hours
    from rises
    group by product, issue_type, episode_number
    having max(is_alarm) = 1

)

select
    md5(concat_ws('|', product, issue_type, {{ as_text('detected_at') }})) as episode_key,
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

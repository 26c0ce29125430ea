-- Episodes: an issue opens when a count is far above expectation (`open_score`), stays open while it is somewhat above
-- (`close_score`), and is over after `quiet_hours` without either. The onset is the start of the rise to the first
-- alarm: before it, nothing was halfway to an alarm for 12 hours. (Chance elevates a count now and then; going back
-- through all elevated ticks would put the onset before the release that caused it.) The id is made of the tick of the
-- first alarm: counts at past ticks do not change, so neither does the id.
with alarm_ticks as (

    select
        *,
        max(valid_to) over (
            partition by product, issue_type
            order by tick
            rows between unbounded preceding and 1 preceding
        ) as elevated_until,
        max(case when is_halfway = 1 then valid_to end) over (
            partition by product, issue_type
            order by tick
            rows between unbounded preceding and 1 preceding
        ) as halfway_until
    from {{ ref('int_alarm_ticks') }}

),

gaps as (

    select
        alarm_ticks.*,
        settings.quiet_hours,
        {{ seconds_between('alarm_ticks.elevated_until', 'alarm_ticks.tick') }} / 3600.0 as hours_quiet,
        {{ seconds_between('alarm_ticks.halfway_until', 'alarm_ticks.tick') }} / 3600.0 as hours_below_halfway
    from alarm_ticks
    cross join {{ ref('stg_playbook_settings') }} as settings

),

numbered as (

    select
        *,
        sum(case when hours_quiet <= quiet_hours then 0 else 1 end) over (
            partition by product, issue_type
            order by tick
            rows unbounded preceding
        ) as episode_number,
        sum(case when hours_below_halfway <= 12.0 or is_halfway = 0 then 0 else 1 end) over (
            partition by product, issue_type
            order by tick
            rows unbounded preceding
        ) as onset_number
    from gaps

),

onsets as (

    select
        *,
        min(case when is_halfway = 1 then tick end) over (
            partition by product, issue_type, episode_number, onset_number
        ) as onset_tick
    from numbered

),

episodes as (

    select
        product,
        issue_type,
        episode_number,
        min(case when is_alarm = 1 then onset_tick end) as first_tick,
        min(case when is_alarm = 1 then tick end) as detected_at,
        max(valid_to) as elevated_until,
        max(count_valid_to) as count_elevated_until,
        max(score) as peak_score,
        max(times_expected) as peak_times_expected,
        max(quiet_hours) as quiet_hours
    from onsets
    group by product, issue_type, episode_number
    having max(is_alarm) = 1

),

ended as (

    select
        *,
        case
            when elevated_until + quiet_hours * {{ hours(1) }} <= {{ as_of() }}
                then elevated_until + quiet_hours * {{ hours(1) }}
        end as resolved_at
    from episodes

)

select
    'ISS-'
    || upper(substring(md5(concat_ws('|', product, issue_type, {{ as_text('detected_at') }})), 1, 10)) as issue_id,
    product,
    issue_type,
    first_tick,
    detected_at,
    elevated_until,
    coalesce(count_elevated_until, elevated_until) as count_elevated_until,
    peak_score,
    peak_times_expected,
    resolved_at,
    resolved_at is null or resolved_at > {{ rebuild_from() }} as is_live
from ended

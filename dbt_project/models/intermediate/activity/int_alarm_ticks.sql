{{ config(materialized='incremental', meta={'rebuilt_by': 'tick'}, pre_hook="{{ forget_since('tick') }}") }}

-- Alarm ticks: ticks at which a count of an issue type is elevated or alarming in any scope, by itself or together with
-- what telemetry says (int_joint_evidence).
with activity as (

    select
        activity.*,
        settings.min_excess,
        settings.min_ratio,
        case
            when activity.scope_kind = 'all' then settings.open_score
            else settings.open_score_scoped
        end as open_at,
        case
            when activity.scope_kind = 'all' then settings.close_score
            else settings.open_score_scoped - settings.open_score + settings.close_score
        end as close_at
    from {{ ref('int_issue_activity') }} as activity
    cross join {{ ref('stg_playbook_settings') }} as settings
    where activity.baseline_days >= settings.min_baseline_days and activity.tick > {{ rebuild_from() }}

),

counted as (

    select
        product,
        issue_type,
        scope_kind,
        tick,
        valid_to,
        1 as is_count,
        greatest(score, score_72h) as score,
        evidence,
        expected,
        (score >= open_at and excess >= min_excess and evidence >= min_ratio * explained)
        or (
            score_72h >= open_at and excess_72h >= min_excess and score >= close_at
            and evidence_72h >= min_ratio * explained_72h
        ) as is_alarm,
        score >= close_at and excess >= 0.4 * min_excess
        and evidence >= (1.0 + 0.5 * (min_ratio - 1.0)) * explained as is_elevated,
        greatest(score, score_72h) >= 0.5 * (open_at + close_at) as is_halfway
    from activity

),

corroborated as (

    select
        product,
        issue_type,
        scope_kind,
        tick,
        tick + {{ hours(1) }} as valid_to,
        0 as is_count,
        score,
        evidence_24h as evidence,
        expected,
        times_needed >= 1.0 and can_open as is_alarm,
        times_needed >= 0.75 as is_elevated,
        times_needed >= 0.75 as is_halfway
    from {{ ref('int_joint_evidence') }}
    where tick > {{ rebuild_from() }}

),

flagged as (

    select * from counted
    union all
    select * from corroborated

)

select
    product,
    issue_type,
    tick,
    max(valid_to) as valid_to,
    max(case when is_count = 1 then valid_to end) as count_valid_to,
    max(case when is_alarm then 1 else 0 end) as is_alarm,
    max(case when is_halfway then 1 else 0 end) as is_halfway,
    max(score) as score,
    max(case when scope_kind = 'all' then evidence / expected end) as times_expected
from flagged
where is_alarm or is_elevated
group by product, issue_type, tick

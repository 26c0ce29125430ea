{{ config(
    materialized='incremental', meta={'rebuilt_by': 'detected_at'}, pre_hook="{{ forget_since('detected_at') }}"
) }}

-- First complaint of each issue, and the first tick at which its evidence would have sufficed, had every complaint been
-- known when it was said: the rules that open an issue (int_alarm_ticks), from the onset on, with complaints counted
-- when they were said. What is usual, and what telemetry and the last change said, are as they were at detection; so is
-- the dispersion of a day, which also stands for three.
with issues as (

    select
        onset.issue_id,
        onset.detected_at,
        onset.started_at,
        {{ tick_of('onset.started_at') }} as first_tick
    from {{ ref('int_issue_onset') }} as onset
    where onset.detected_at > {{ rebuild_from() }}

),

said as (

    select
        series.issue_id,
        series.scope_kind,
        series.scope_value,
        feedback.occurred_at,
        {{ tick_of('feedback.occurred_at') }} as tick,
        cast(feedback.evidence_weight as decimal(18, 4)) as evidence
    from {{ ref('int_issue_series') }} as series
    inner join issues on series.issue_id = issues.issue_id
    inner join {{ ref('int_feedback') }} as feedback
        on
            series.product = feedback.product
            and series.issue_type = feedback.issue_type
            and series.detected_at > feedback.occurred_at
            and issues.started_at - {{ hours(var('trailing_hours')) }} < feedback.occurred_at
            and case series.scope_kind
                when 'platform' then series.scope_value = feedback.platform
                when 'country' then series.scope_value = feedback.country
                when 'app_version' then series.scope_value = feedback.app_version
                else true
            end
    where feedback.is_counted is not false

),

first_said as (

    select
        said.issue_id,
        min(said.occurred_at) as first_complaint_at
    from said
    inner join issues on said.issue_id = issues.issue_id and said.occurred_at >= issues.started_at
    where said.scope_kind = 'all'
    group by said.issue_id

),

-- A row at the onset, too: from then on telemetry speaks.
steps as (

    select
        issue_id,
        scope_kind,
        scope_value,
        tick,
        evidence,
        1 as pieces
    from said

    union all

    select
        series.issue_id,
        series.scope_kind,
        series.scope_value,
        issues.first_tick as tick,
        cast(0 as decimal(18, 4)) as evidence,
        0 as pieces
    from {{ ref('int_issue_series') }} as series
    inner join issues on series.issue_id = issues.issue_id

),

timeline as (

    select
        issue_id,
        scope_kind,
        scope_value,
        tick,
        sum(evidence) as evidence,
        sum(pieces) as pieces
    from steps
    group by issue_id, scope_kind, scope_value, tick

),

running as (

    select
        issue_id,
        scope_kind,
        scope_value,
        tick,
        {{ running_sums({'evidence': 'evidence'}, ['issue_id', 'scope_kind', 'scope_value'], [1, 4, 24, 72]) }},
        {{ running_sums({'pieces': 'pieces'}, ['issue_id', 'scope_kind', 'scope_value'], [72]) }}
    from timeline

),

compared as (

    select
        running.issue_id,
        running.tick,
        running.scope_kind,
        cast(running.evidence_1h as double) as evidence_1h,
        cast(running.evidence_4h as double) as evidence_4h,
        cast(running.evidence_24h as double) as evidence_24h,
        cast(running.evidence_72h as double) as evidence_72h,
        running.pieces_72h,
        series.expected_24h,
        series.expected_72h,
        greatest(1.0, coalesce(hours.factor, {{ var('short_window_peak') }})) * series.explained_24h / 24.0
            as explained_1h,
        greatest(1.0, coalesce(hours.factor, {{ var('short_window_peak') }})) * series.explained_24h / 6.0
            as explained_4h,
        series.explained_24h,
        series.explained_72h,
        series.dispersion,
        series.spread,
        series.beside_log_e_value,
        series.is_corroborated
    from running
    inner join issues on running.issue_id = issues.issue_id and running.tick >= issues.first_tick
    inner join {{ ref('int_issue_series') }} as series
        on
            running.issue_id = series.issue_id
            and running.scope_kind = series.scope_kind
            and running.scope_value = series.scope_value
    left join {{ ref('int_hour_of_day') }} as hours
        on
            series.product = hours.product
            and {{ day_of('series.detected_at') }} = hours.day
            and {{ hour_of('running.tick') }} = hours.hour

),

-- Rounded before comparing, as in the rules themselves.
scored as (

    select
        *,
        {{ rounded(log_e_value_of_windows('evidence', 'explained', [1, 4, 24, 72], [2.0, 4.0, 8.0, 16.0])) }}
            as log_e_value,
        {{ rounded(surprise('evidence_24h', 'explained_24h', 'dispersion')) }} as score,
        {{ rounded(surprise('evidence_72h', 'explained_72h', 'dispersion')) }} as score_72h
    from compared

),

judged as (

    select
        scored.issue_id,
        scored.tick,
        (
            scored.score >= case
                when scored.scope_kind = 'all' then settings.open_score
                else settings.open_score_scoped
            end
            and scored.evidence_24h - scored.expected_24h >= settings.min_excess
            and scored.evidence_24h >= settings.min_ratio * scored.explained_24h
        ) or (
            scored.score_72h >= case
                when scored.scope_kind = 'all' then settings.open_score
                else settings.open_score_scoped
            end
            and scored.score >= case
                when scored.scope_kind = 'all' then settings.close_score
                else settings.open_score_scoped - settings.open_score + settings.close_score
            end
            and scored.evidence_72h - scored.expected_72h >= settings.min_excess
            and scored.evidence_72h >= settings.min_ratio * scored.explained_72h
        ) as is_by_count,
        scored.log_e_value >= {{ var('corroborated_log_e_value') }}
        and scored.pieces_72h >= {{ var('corroborated_people') }}
        and {{ rounded(
            '(scored.log_e_value + scored.beside_log_e_value) / ' ~ log_e_value_of_budget('settings.false_alarm_budget')
        ) }} >= 1.0
        and (
            scored.is_corroborated
            {%- for days in ['24h', '72h'] %}
                or (
                    scored.evidence_{{ days }} - scored.explained_{{ days }} >= settings.min_excess
                    and scored.evidence_{{ days }} >= settings.min_ratio * scored.explained_{{ days }}
                )
            {%- endfor %}
        ) as is_by_joint_evidence
    from scored
    cross join {{ ref('stg_playbook_settings') }} as settings

),

sufficed as (

    select
        issue_id,
        min(tick) as sufficed_at
    from judged
    where is_by_count or is_by_joint_evidence
    group by issue_id

)

select
    issues.issue_id,
    issues.detected_at,
    first_said.first_complaint_at,
    -- A tick is the end of its quarter of an hour, which may be the one of the detection.
    least(coalesce(sufficed.sufficed_at, issues.detected_at), issues.detected_at) as could_have_known_at
from issues
left join first_said on issues.issue_id = first_said.issue_id
left join sufficed on issues.issue_id = sufficed.issue_id

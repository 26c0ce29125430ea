{{ config(materialized='incremental', meta={'rebuilt_by': 'tick'}, pre_hook="{{ forget_since('tick') }}") }}

-- Joint evidence that something is wrong, per product, issue type, scope and look: the e-values of the complaints, of
-- the telemetry that the type touches, and of a change shortly before, multiplied. Several measures of one kind are
-- averaged (an e-value whatever their dependence), and what telemetry says against it costs at most a half.
with complaints as (

    select *
    from {{ ref('int_complaint_evidence') }}
    where
        tick > {{ rebuild_from() }}
        and log_e_value >= {{ var('corroborated_log_e_value') }}
        and feedback_count_72h >= {{ var('corroborated_people') }}

),

telemetry as (

    select
        product,
        issue_type,
        scope_kind,
        scope_value,
        tick,
        ln(avg(case when kind <> 'completions' then {{ bounded_exp('log_e_value') }} end)) as technical_log_e_value,
        ln(avg(case when kind = 'completions' then {{ bounded_exp('log_e_value') }} end)) as business_log_e_value
    from {{ ref('int_telemetry_evidence') }}
    group by product, issue_type, scope_kind, scope_value, tick

),

-- The last change before each look, and how many there were in the four weeks before it.
changed as (

    select
        complaints.product,
        complaints.issue_type,
        complaints.scope_kind,
        complaints.scope_value,
        complaints.tick,
        min({{ seconds_between('changes.changed_at', 'complaints.tick') }}) / 3600.0 as hours_since_change,
        cast(count(*) as double) / ({{ var('evidence_days') }}.0 * 24.0) as changes_per_hour
    from complaints
    inner join {{ ref('int_changes') }} as changes
        on
            complaints.product = changes.product
            and complaints.tick - {{ days(var('evidence_days')) }} < changes.changed_at
            and complaints.tick > changes.changed_at
            and (
                complaints.scope_kind <> 'platform'
                or coalesce(complaints.scope_value = changes.platform, true)
            )
    group by
        complaints.product, complaints.issue_type, complaints.scope_kind, complaints.scope_value, complaints.tick

),

joined as (

    select
        complaints.*,
        coalesce(telemetry.technical_log_e_value, 0.0) as technical_log_e_value,
        coalesce(telemetry.business_log_e_value, 0.0) as business_log_e_value,
        changed.hours_since_change,
        case when changed.hours_since_change is null then 0.0 else {{ log_e_value_of_recency() }} end
            as change_log_e_value
    from complaints
    left join telemetry
        on
            complaints.product = telemetry.product
            and complaints.issue_type = telemetry.issue_type
            and complaints.scope_kind = telemetry.scope_kind
            and complaints.scope_value = telemetry.scope_value
            and complaints.tick = telemetry.tick
    left join changed
        on
            complaints.product = changed.product
            and complaints.issue_type = changed.issue_type
            and complaints.scope_kind = changed.scope_kind
            and complaints.scope_value = changed.scope_value
            and complaints.tick = changed.tick

),

summed as (

    select
        *,
        {{ rounded(
            'log_e_value + ' ~ half_of('technical_log_e_value') ~ ' + ' ~ half_of('business_log_e_value')
            ~ ' + ' ~ half_of('change_log_e_value')
            ~ " - case when scope_kind = 'all' then 0.0 else ln(" ~ var('scopes_watched') ~ ') end'
        ) }} as joint_log_e_value
    from joined

)

select
    summed.product,
    summed.issue_type,
    summed.scope_kind,
    summed.scope_value,
    summed.tick,
    summed.feedback_count_72h,
    summed.evidence_24h,
    summed.expected,
    summed.score,
    summed.log_e_value as complaints_log_e_value,
    {{ rounded('summed.technical_log_e_value') }} as technical_log_e_value,
    {{ rounded('summed.business_log_e_value') }} as business_log_e_value,
    {{ rounded('summed.change_log_e_value') }} as change_log_e_value,
    summed.hours_since_change,
    summed.joint_log_e_value as log_e_value,
    {{ rounded('summed.joint_log_e_value / ' ~ log_e_value_of_budget('settings.false_alarm_budget')) }} as times_needed,
    -- Without telemetry to corroborate them, complaints need the excess and the ratio.
    greatest(summed.technical_log_e_value, summed.business_log_e_value) >= {{ var('corroborating_log_e_value') }}
    {%- for days in ['24h', '72h'] %}
        or (
            summed.evidence_{{ days }} - summed.explained_{{ days }} >= settings.min_excess
            and summed.evidence_{{ days }} >= settings.min_ratio * summed.explained_{{ days }}
        )
    {%- endfor %} as can_open
from summed
cross join {{ ref('stg_playbook_settings') }} as settings

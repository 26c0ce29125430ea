{{ config(
    materialized='incremental', meta={'rebuilt_by': 'detected_at'}, pre_hook="{{ forget_since('detected_at') }}"
) }}

-- Signals of each issue when it was detected, in the scope that spoke most clearly: its complaints, the strongest
-- measure of each kind of telemetry, and the last change. An issue that a day's complaints opened before two of them
-- stood out in a few hours has none.
with joint as (

    select
        episodes.issue_id,
        episodes.detected_at,
        joint.*,
        row_number() over (
            partition by episodes.issue_id
            order by joint.log_e_value desc, joint.scope_kind asc, joint.scope_value asc
        ) as place
    from {{ ref('int_episodes') }} as episodes
    inner join {{ ref('int_joint_evidence') }} as joint
        on
            episodes.product = joint.product
            and episodes.issue_type = joint.issue_type
            and episodes.detected_at = joint.tick
    where episodes.detected_at > {{ rebuild_from() }}

),

telemetry as (

    select
        joint.issue_id,
        joint.detected_at,
        joint.scope_kind,
        joint.scope_value,
        evidence.kind,
        evidence.measure,
        evidence.measured_kind,
        evidence.measured_value,
        evidence.trials,
        evidence.amount,
        evidence.trials * evidence.rate as expected,
        evidence.log_e_value,
        row_number() over (
            partition by joint.issue_id, evidence.kind
            order by
                evidence.log_e_value desc, evidence.measure asc, evidence.measured_kind asc, evidence.measured_value asc
        ) as place
    from joint
    inner join {{ ref('int_telemetry_evidence') }} as evidence
        on
            joint.product = evidence.product
            and joint.issue_type = evidence.issue_type
            and joint.scope_kind = evidence.scope_kind
            and joint.scope_value = evidence.scope_value
            and joint.tick = evidence.tick
    where joint.place = 1

),

signals as (

    select
        issue_id,
        detected_at,
        'complaints' as signal,
        cast(null as {{ dbt.type_string() }}) as measure,
        scope_kind as measured_kind,
        scope_value as measured_value,
        cast(null as double) as trials,
        evidence_24h as amount,
        expected,
        complaints_log_e_value as log_e_value
    from joint
    where place = 1

    union all

    select
        issue_id,
        detected_at,
        kind as signal,
        measure,
        measured_kind,
        measured_value,
        trials,
        amount,
        expected,
        log_e_value
    from telemetry
    where place = 1

    union all

    select
        issue_id,
        detected_at,
        'change' as signal,
        cast(null as {{ dbt.type_string() }}) as measure,
        scope_kind as measured_kind,
        scope_value as measured_value,
        cast(null as double) as trials,
        hours_since_change as amount,
        cast(null as double) as expected,
        change_log_e_value as log_e_value
    from joint
    where place = 1 and hours_since_change is not null

)

select
    issue_id,
    detected_at,
    signal,
    measure,
    measured_kind,
    measured_value,
    trials,
    {{ rounded('amount') }} as amount,
    {{ rounded('expected') }} as expected,
    log_e_value
from signals

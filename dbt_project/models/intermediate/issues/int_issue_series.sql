{{ config(
    materialized='incremental', meta={'rebuilt_by': 'detected_at'}, pre_hook="{{ forget_since('detected_at') }}"
) }}

-- Series that may have opened each issue, as they stood when it was detected: what was expected of them, how much their
-- counts vary, and what spoke beside their complaints (telemetry, the last change).
with episodes as (

    select * from {{ ref('int_episodes') }}
    where detected_at > {{ rebuild_from() }}

),

counted as (

    select
        episodes.issue_id,
        episodes.detected_at,
        activity.scope_kind,
        activity.scope_value,
        activity.expected as expected_24h,
        activity.expected_72h,
        activity.explained as explained_24h,
        activity.explained_72h,
        activity.dispersion,
        (activity.dispersion - 1.0) / greatest(activity.explained, 0.05) as spread
    from episodes
    inner join {{ ref('int_issue_activity') }} as activity
        on
            episodes.product = activity.product
            and episodes.issue_type = activity.issue_type
            and episodes.detected_at >= activity.tick
            and episodes.detected_at < activity.valid_to

),

-- Versions have no count of their own that could open an issue.
versions as (

    select
        episodes.issue_id,
        episodes.detected_at,
        evidence.scope_kind,
        evidence.scope_value,
        cast(null as double) as expected_24h,
        cast(null as double) as expected_72h,
        evidence.explained_24h,
        evidence.explained_72h,
        cast(null as double) as dispersion,
        counted.spread
    from episodes
    inner join {{ ref('int_complaint_evidence') }} as evidence
        on
            episodes.product = evidence.product
            and episodes.issue_type = evidence.issue_type
            and episodes.detected_at = evidence.tick
            and evidence.scope_kind = 'app_version'
    inner join counted on episodes.issue_id = counted.issue_id and counted.scope_kind = 'all'

),

series as (

    select * from counted
    union all
    select * from versions

)

select
    series.issue_id,
    series.detected_at,
    episodes.product,
    episodes.issue_type,
    series.scope_kind,
    series.scope_value,
    series.expected_24h,
    series.expected_72h,
    series.explained_24h,
    series.explained_72h,
    series.dispersion,
    {{ rounded('series.spread') }} as spread,
    {{ rounded('joint.log_e_value - joint.complaints_log_e_value') }} as beside_log_e_value,
    coalesce(
        joint.technical_log_e_value >= {{ var('corroborating_log_e_value') }}
        or joint.business_log_e_value >= {{ var('corroborating_log_e_value') }},
        false
    ) as is_corroborated
from series
inner join episodes on series.issue_id = episodes.issue_id
left join {{ ref('int_joint_evidence') }} as joint
    on
        episodes.product = joint.product
        and episodes.issue_type = joint.issue_type
        and episodes.detected_at = joint.tick
        and series.scope_kind = joint.scope_kind
        and series.scope_value = joint.scope_value

{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

-- What the playbook offers against each issue: the mitigations whose `when` it meets, their item and desired state with
-- the issue's own values filled in, the smallest act first. An issue that is over keeps what was offered at its end.
with services as (

    select
        issue_id,
        measure as service,
        row_number() over (
            partition by issue_id
            order by case when signal = 'errors' then 0 else 1 end asc, log_e_value desc, measure asc
        ) as place
    from {{ ref('int_issue_signals') }}
    where signal in ('errors', 'latency')

),

issues as (

    select
        evidence.issue_id,
        evidence.product,
        evidence.issue_type,
        evidence.resolved_at,
        evidence.scope_country as country,
        lower(evidence.scope_feature) as feature,
        coalesce(suspects.suspect_platform_id, lower(evidence.scope_platform)) as platform,
        coalesce(lower(suspects.suspect_service), services.service) as service,
        coalesce(suspects.suspect_kind, 'none') as suspect_kind,
        evidence.suspect_release_id,
        evidence.suspect_version,
        suspects.suspect_previous_version as previous_version,
        suspects.suspect_flag,
        suspects.suspect_flag_enabled,
        suspects.suspect_rollback_floor as rollback_floor,
        -- Counted by machines: a flood of texts alone reaches none of these.
        case when evidence.has_technical then 1 else 0 end
        + case when evidence.has_business then 1 else 0 end
        + case
            when evidence.verdict = 'regression' and evidence.change_telemetry >= 0.2 then 1
            else 0
        end as machine_signals
    from {{ ref('int_issue_evidence') }} as evidence
    left join {{ ref('int_issue_suspect') }} as suspects on evidence.issue_id = suspects.issue_id
    left join services on evidence.issue_id = services.issue_id and services.place = 1

),

matched as (

    select
        issues.*,
        mitigations.mitigation,
        mitigations.tier,
        mitigations.target,
        mitigations.item as item_template,
        mitigations.desired as desired_template,
        mitigations.mode,
        mitigations.least_priority,
        mitigations.least_signals,
        mitigations.least_confidence,
        mitigations.verify_metric,
        mitigations.verify_minutes,
        mitigations.cooldown_hours,
        mitigations.max_per_day,
        mitigations.undo,
        coalesce(targets.critical, false) as is_critical,
        targets.target is not null as is_target_known,
        -- How much an act touches, within its tier: the suspect flag, a feature, a service, all else.
        case
            when mitigations.suspect_kind = 'flag' then 1
            when mitigations.feature is not null or mitigations.item like '%{feature}%' then 2
            when mitigations.service is not null or mitigations.item like '%{service}%' then 3
            else 4
        end as breadth
    from issues
    inner join {{ ref('stg_playbook_mitigations') }} as mitigations
        on
            issues.issue_type = mitigations.issue_type
            and (mitigations.product is null or issues.product = mitigations.product)
            and (mitigations.feature is null or issues.feature = lower(mitigations.feature))
            and (mitigations.platform is null or issues.platform = lower(mitigations.platform))
            and (mitigations.country is null or issues.country = mitigations.country)
            and (mitigations.service is null or issues.service = lower(mitigations.service))
            and (
                mitigations.suspect_kind is null
                or issues.suspect_kind = mitigations.suspect_kind
                or (mitigations.suspect_kind = 'any' and issues.suspect_kind <> 'none')
            )
    left join {{ ref('stg_playbook_targets') }} as targets on mitigations.target = targets.target
    where
        (targets.product is null or issues.product = targets.product)
        and (targets.service is null or issues.service = lower(targets.service))

),

filled as (

    select
        *,
        {{ filled('item_template') }} as item,
        {{ filled('desired_template', in_json=true) }} as desired
    from matched

)

select
    issue_id,
    mitigation,
    product,
    issue_type,
    platform,
    country,
    feature,
    service,
    suspect_kind,
    suspect_release_id,
    suspect_version,
    previous_version,
    suspect_flag,
    rollback_floor,
    cast(machine_signals as bigint) as machine_signals,
    cast(tier as bigint) as tier,
    cast(breadth as bigint) as breadth,
    cast(row_number() over (
        partition by issue_id
        order by tier asc, breadth asc, mitigation asc
    ) as bigint) as candidate_rank,
    target,
    is_target_known,
    is_critical,
    item,
    desired,
    not {{ has_placeholder('item') }} and not {{ has_placeholder('desired') }} as is_filled,
    -- A flag that the suspect change switched off is not switched off again.
    coalesce(
        item_template like '%{suspect_flag}%'
        and {{ json_text('desired', '$.enabled') }} = lower({{ as_text('suspect_flag_enabled') }}),
        false
    ) as is_so_already,
    desired_template like '%{previous_version}%' as goes_back,
    {{ is_version_from('previous_version', 'rollback_floor') }} as is_above_floor,
    mode,
    least_priority,
    cast(least_signals as bigint) as least_signals,
    least_confidence,
    verify_metric,
    cast(verify_minutes as bigint) as verify_minutes,
    cooldown_hours,
    cast(max_per_day as bigint) as max_per_day,
    undo,
    -- What depends on the time is judged now, or as it was when the issue was over.
    coalesce(resolved_at, {{ as_of() }}) as judged_at
from filled

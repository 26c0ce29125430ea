-- Mitigations of each issue: what is proposed, what is withheld and by which rule first, what became of its latest
-- plan, and whether it worked; of one that was only recorded, whether it would have been right.
with rules as (

    select
        issue_id,
        mitigation,
        min(case when not met then rule_position end) as first_unmet,
        count(*) filter (where not met) as rules_unmet
    from {{ ref('fct_mitigation_rules') }}
    group by issue_id, mitigation

),

decided as (

    select
        rules.issue_id,
        rules.mitigation,
        rules.rules_unmet,
        unmet.rule as withheld_by,
        unmet.until as withheld_until
    from rules
    left join {{ ref('fct_mitigation_rules') }} as unmet
        on
            rules.issue_id = unmet.issue_id
            and rules.mitigation = unmet.mitigation
            and rules.first_unmet = unmet.rule_position

),

plans as (

    select * from {{ ref('int_mitigation_plans') }}
    where is_latest

),

-- A plan stays although the playbook, or the issue, has moved on and offers the mitigation no more.
pairs as (

    select
        issue_id,
        mitigation
    from {{ ref('int_mitigation_candidates') }}
    union distinct
    select
        issue_id,
        mitigation
    from plans

),

joined as (

    select
        pairs.issue_id,
        pairs.mitigation,
        issues.product,
        issues.issue_type,
        issues.status,
        issues.resolved_at,
        issues.rejected_at,
        candidates.service,
        candidates.suspect_kind,
        candidates.suspect_release_id,
        candidates.suspect_version,
        candidates.previous_version,
        candidates.suspect_flag,
        candidates.rollback_floor,
        candidates.breadth,
        candidates.candidate_rank,
        candidates.is_critical,
        candidates.item as candidate_item,
        candidates.desired,
        candidates.verify_metric,
        candidates.verify_minutes,
        candidates.undo,
        coalesce(candidates.tier, plans.tier) as tier,
        coalesce(candidates.target, plans.target) as target,
        coalesce(candidates.item, plans.item) as item,
        coalesce(candidates.mode, plans.mode) as mode,
        candidates.issue_id is not null as is_offered,
        decided.rules_unmet,
        decided.withheld_by,
        decided.withheld_until,
        plans.plan_id,
        plans.item as plan_item,
        plans.mode as plan_mode,
        plans.state as plan_state,
        plans.last_event,
        plans.last_actor,
        plans.last_reason,
        plans.last_event_at,
        coalesce(plans.proposed_at, plans.first_event_at) as proposed_at,
        plans.approved_at,
        plans.refused_at,
        plans.expired_at,
        plans.voided_at,
        plans.applied_at,
        plans.drifted_at,
        plans.verified_at,
        plans.undone_at,
        plans.failed_at,
        effects.effect,
        effects.metric,
        effects.source_name,
        effects.exposure_unit,
        effects.measured_until,
        effects.window_ends_at,
        effects.count_before,
        effects.exposure_before,
        effects.count_after,
        effects.exposure_after,
        effects.unchanged_after,
        effects.usual_after,
        effects.log_likelihood_ratio,
        outcomes.undone_by,
        outcomes.undone_at as suspect_undone_at,
        outcomes.fixed_at as suspect_fixed_at
    from pairs
    inner join {{ ref('fct_issue_lifecycle') }} as issues on pairs.issue_id = issues.issue_id
    left join {{ ref('int_mitigation_candidates') }} as candidates
        on pairs.issue_id = candidates.issue_id and pairs.mitigation = candidates.mitigation
    left join decided on pairs.issue_id = decided.issue_id and pairs.mitigation = decided.mitigation
    left join plans on pairs.issue_id = plans.issue_id and pairs.mitigation = plans.mitigation
    left join {{ ref('int_mitigation_effects') }} as effects
        on plans.plan_id = effects.plan_id and effects.is_verifying
    left join {{ ref('int_mitigation_outcomes') }} as outcomes on pairs.issue_id = outcomes.issue_id

),

-- How the issue ended, as far as it judges a plan that was only recorded.
ended as (

    select
        *,
        case
            when plan_state <> 'shadow' or plan_state is null then null
            when rejected_at is not null then 'rejected'
            when status = 'open' then 'still_open'
            when not is_offered or candidate_item <> plan_item then 'other_suspect'
            when suspect_kind = 'none' then 'cannot_be_told'
            when suspect_undone_at <= proposed_at then 'too_late'
            else coalesce(undone_by, 'ended_by_itself')
        end as right_by
    from joined

)

select
    ---------- ids
    issue_id,
    mitigation,
    product,
    issue_type,
    plan_id,
    suspect_release_id,

    ---------- the act
    target,
    item,
    desired,
    mode,
    suspect_kind,
    suspect_version,
    previous_version,
    suspect_flag,
    rollback_floor,
    service,
    verify_metric,
    undo,
    tier,
    breadth,
    candidate_rank,
    verify_minutes,
    is_critical,

    ---------- the decision
    case when is_offered and rules_unmet = 0 then 'proposed' else 'withheld' end as decision,
    case when is_offered then withheld_by else 'no_longer_offered' end as withheld_by,
    withheld_until,
    cast(coalesce(rules_unmet, 0) as bigint) as rules_unmet,

    ---------- the plan
    plan_mode,
    plan_state,
    last_event,
    last_actor,
    last_reason,
    last_event_at,
    proposed_at,
    approved_at,
    refused_at,
    expired_at,
    voided_at,
    applied_at,
    drifted_at,
    verified_at,
    undone_at,
    failed_at,

    ---------- the effect
    effect,
    metric as effect_metric,
    source_name as effect_source,
    exposure_unit,
    measured_until,
    window_ends_at,
    count_before,
    exposure_before,
    count_after,
    exposure_after,
    unchanged_after,
    usual_after,
    log_likelihood_ratio,

    ---------- what people did to the suspect
    undone_by as suspect_undone_by,
    suspect_undone_at,
    suspect_fixed_at,

    ---------- a plan that was only recorded
    case
        when right_by in ('rolled_back', 'fixed', 'flag_reverted') then true
        when right_by in ('rejected', 'other_suspect', 'too_late', 'ended_by_itself') then false
    end as would_have_been_right,
    right_by,
    case
        when right_by in ('rolled_back', 'fixed', 'flag_reverted')
            then {{ rounded(seconds_between('proposed_at', 'suspect_undone_at') ~ ' / 60.0') }}
    end as minutes_earlier
from ended

-- Acts: plans that were carried out against issues that this build judges, with the stretches in which their effect is
-- measured. Before: from the issue's onset to the act. After: from the act to the end of its window, to its undoing or
-- to as-of.
with acts as (

    select
        plans.plan_id,
        plans.issue_id,
        plans.mitigation,
        issues.product,
        issues.issue_type,
        issues.started_at,
        plans.applied_at,
        plans.undone_at,
        coalesce(mitigations.verify_metric, 'complaints') as verify_metric,
        plans.applied_at + {{ minutes('coalesce(mitigations.verify_minutes, 120)') }} as window_ends_at
    from {{ ref('int_mitigation_plans') }} as plans
    inner join {{ ref('int_issues') }} as issues on plans.issue_id = issues.issue_id
    left join {{ ref('stg_playbook_mitigations') }} as mitigations
        on plans.mitigation = mitigations.mitigation and issues.issue_type = mitigations.issue_type
    where plans.applied_at is not null

)

select
    plan_id,
    issue_id,
    mitigation,
    product,
    issue_type,
    started_at,
    applied_at,
    verify_metric,
    window_ends_at,
    least(window_ends_at, coalesce(undone_at, window_ends_at), {{ as_of() }}) as measured_until,
    coalesce(undone_at < window_ends_at, false) as is_cut_short,
    window_ends_at <= {{ as_of() }} as is_window_over
from acts

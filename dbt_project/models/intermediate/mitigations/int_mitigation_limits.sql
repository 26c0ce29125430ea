-- What was tried before, for each candidate: on this issue, as the same act elsewhere, by the same mitigation, by all.
-- Acts count up to the instant at which the candidate is judged. For a candidate in mode `shadow` the plans count, too,
-- that were only recorded for other issues: as if it had been on.
with candidates as (

    select * from {{ ref('int_mitigation_candidates') }}

),

acts as (

    select
        issue_id,
        mitigation,
        tier,
        target,
        item,
        mode,
        applied_at as acted_at,
        false as is_shadow
    from {{ ref('int_mitigation_plans') }}
    where applied_at is not null

    union all

    select
        issue_id,
        mitigation,
        tier,
        target,
        item,
        mode,
        min(first_event_at) as acted_at,
        true as is_shadow
    from {{ ref('int_mitigation_plans') }}
    where state = 'shadow'
    group by issue_id, mitigation, tier, target, item, mode

),

-- Acts that each candidate has to reckon with, as far as they are at most a day or a cooldown old, or on its issue.
seen as (

    select
        candidates.issue_id,
        candidates.mitigation,
        acts.acted_at,
        acts.issue_id = candidates.issue_id as is_same_issue,
        acts.mitigation = candidates.mitigation as is_same_mitigation,
        acts.tier = candidates.tier and acts.target = candidates.target and acts.item = candidates.item as is_same_act,
        acts.mode = 'auto' as is_automatic,
        acts.acted_at > candidates.judged_at - {{ days(1) }} as is_in_day
    from candidates
    inner join acts
        on
            candidates.judged_at >= acts.acted_at
            and (not acts.is_shadow or (candidates.mode = 'shadow' and candidates.issue_id <> acts.issue_id))
            and (
                candidates.mitigation = acts.mitigation
                or (candidates.target = acts.target and candidates.item = acts.item)
                or acts.acted_at > candidates.judged_at - {{ days(1) }}
            )

),

counted as (

    select
        issue_id,
        mitigation,
        count(*) filter (where is_same_issue and is_same_act) as acts_here,
        max(case when is_same_act then acted_at end) as last_act_at,
        count(*) filter (where is_same_mitigation and is_in_day) as acts_in_day,
        count(*) filter (where is_automatic and is_in_day) as automatic_in_day
    from seen
    group by issue_id, mitigation

),

-- A limit of n is free again a day after the n-th newest act.
nth as (

    select
        issue_id,
        mitigation,
        acted_at,
        is_same_mitigation,
        is_automatic,
        row_number() over (
            partition by issue_id, mitigation, is_same_mitigation
            order by acted_at desc
        ) as place,
        row_number() over (
            partition by issue_id, mitigation, is_automatic
            order by acted_at desc
        ) as automatic_place
    from seen
    where is_in_day

),

free as (

    select
        candidates.issue_id,
        candidates.mitigation,
        max(case when nth.is_same_mitigation and nth.place = candidates.max_per_day then nth.acted_at end)
        + {{ days(1) }} as day_free_at,
        max(case
            when nth.is_automatic and nth.automatic_place = settings.max_automatic_per_day then nth.acted_at
        end) + {{ days(1) }} as automatic_free_at
    from candidates
    inner join nth on candidates.issue_id = nth.issue_id and candidates.mitigation = nth.mitigation
    cross join {{ ref('stg_playbook_settings') }} as settings
    group by candidates.issue_id, candidates.mitigation

),

ineffective as (

    select
        candidates.issue_id,
        candidates.mitigation,
        effects.window_ends_at,
        row_number() over (
            partition by candidates.issue_id, candidates.mitigation
            order by effects.window_ends_at desc
        ) as place
    from candidates
    inner join {{ ref('int_mitigation_effects') }} as effects
        on
            effects.is_verifying
            and effects.effect = 'ineffective'
            and candidates.judged_at >= effects.window_ends_at
            and candidates.judged_at - {{ days(1) }} < effects.window_ends_at

),

broken as (

    select
        ineffective.issue_id,
        ineffective.mitigation,
        count(*) as ineffective_in_day,
        max(case when ineffective.place = settings.breaker_after then ineffective.window_ends_at end)
        + {{ days(1) }} as breaker_closes_at
    from ineffective
    cross join {{ ref('stg_playbook_settings') }} as settings
    group by ineffective.issue_id, ineffective.mitigation

),

-- Tried in vain: verified as ineffective, or the control system failed.
failed as (

    select
        plans.issue_id,
        plans.mitigation
    from {{ ref('int_mitigation_plans') }} as plans
    left join {{ ref('int_mitigation_effects') }} as effects
        on plans.plan_id = effects.plan_id and effects.is_verifying
    where plans.is_latest and (plans.state = 'failed' or effects.effect = 'ineffective')

),

-- Smaller acts that are still to be tried. One that is only recorded (shadow) holds up no other mode.
smaller as (

    select
        candidates.issue_id,
        candidates.mitigation,
        count(*) as smaller_untried,
        min(before.candidate_rank) as smallest_rank
    from candidates
    inner join candidates as before
        on
            candidates.issue_id = before.issue_id
            and candidates.candidate_rank > before.candidate_rank
            and before.is_target_known
            and before.is_filled
            and not before.is_so_already
            and (before.mode <> 'shadow' or candidates.mode = 'shadow')
    left join failed on before.issue_id = failed.issue_id and before.mitigation = failed.mitigation
    where failed.issue_id is null
    group by candidates.issue_id, candidates.mitigation

)

select
    candidates.issue_id,
    candidates.mitigation,
    cast(coalesce(counted.acts_here, 0) as bigint) as acts_here,
    counted.last_act_at,
    cast(coalesce(counted.acts_in_day, 0) as bigint) as acts_in_day,
    free.day_free_at,
    cast(coalesce(counted.automatic_in_day, 0) as bigint) as automatic_in_day,
    free.automatic_free_at,
    cast(settings.max_automatic_per_day as bigint) as max_automatic_per_day,
    cast(coalesce(broken.ineffective_in_day, 0) as bigint) as ineffective_in_day,
    broken.breaker_closes_at,
    cast(settings.breaker_after as bigint) as breaker_after,
    cast(coalesce(smaller.smaller_untried, 0) as bigint) as smaller_untried,
    smallest.mitigation as smaller_mitigation
from candidates
cross join {{ ref('stg_playbook_settings') }} as settings
left join counted on candidates.issue_id = counted.issue_id and candidates.mitigation = counted.mitigation
left join free on candidates.issue_id = free.issue_id and candidates.mitigation = free.mitigation
left join broken on candidates.issue_id = broken.issue_id and candidates.mitigation = broken.mitigation
left join smaller on candidates.issue_id = smaller.issue_id and candidates.mitigation = smaller.mitigation
left join candidates as smallest
    on smaller.issue_id = smallest.issue_id and smaller.smallest_rank = smallest.candidate_rank

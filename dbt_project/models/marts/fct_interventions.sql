-- What may have ended or eased each issue, and which of it the end is credited to: the best basis, then the first. An
-- act that was measured as effective; a change that undid the suspect, then any release, after which complaints or
-- failures fell beyond chance; a person's closing. Of several candidates each has to be that much rarer by chance;
-- those that are expected to help (mitigations, and what undid the suspect) are counted among themselves.
with effects as (

    select
        intervention_id,
        max(case when measure = 'complaints' then avoided end) as complaints_avoided,
        min(p_fewer) as p_fewer,
        count(p_fewer) as looks,
        max(measured_until) as measured_until
    from {{ ref('int_outcome_effects') }}
    where comparator = 'untreated' and measure in ('complaints', 'failed_attempts')
    group by intervention_id

),

verified as (

    select
        plan_id,
        max(case when effect = 'effective' then 1 else 0 end) = 1 as is_effective
    from {{ ref('int_mitigation_effects') }}
    where is_verifying
    group by plan_id

),

counted as (

    select
        interventions.*,
        effects.complaints_avoided,
        coalesce(verified.is_effective, false) as is_effective,
        case
            when interventions.kind = 'mitigation' or interventions.undoes_suspect
                then sum(case when interventions.kind = 'mitigation' or interventions.undoes_suspect then 1 else 0 end)
                    over (partition by interventions.issue_id)
            else count(*) over (partition by interventions.issue_id)
        end as candidates,
        coalesce(effects.measured_until >= interventions.window_ends_at, false)
        or coalesce(interventions.ended_at < interventions.window_ends_at, false) as is_over,
        effects.p_fewer,
        effects.looks
    from {{ ref('int_interventions') }} as interventions
    left join effects on interventions.intervention_id = effects.intervention_id
    left join verified on interventions.plan_id = verified.plan_id

),

-- Where two measures are looked at, each has to be twice as rare by chance.
judged as (

    select
        *,
        coalesce(is_over and p_fewer * candidates * looks <= {{ var('outcome_alpha') }}, false) as has_fallen
    from counted

),

based as (

    select
        *,
        case
            when is_effective then 'effect_measured'
            when has_fallen and undoes_suspect then 'version_and_fall'
            when has_fallen and kind = 'person_act' then 'said_by_person'
            when has_fallen then 'fall_only'
            else 'nothing'
        end as basis
    from judged

),

ranked as (

    select
        *,
        row_number() over (
            partition by issue_id
            order by
                case basis
                    when 'effect_measured' then 1
                    when 'version_and_fall' then 2
                    when 'fall_only' then 3
                    when 'said_by_person' then 4
                    else 5
                end asc,
                case kind
                    when 'mitigation' then 1
                    when 'flag_change' then 2
                    when 'fixing_release' then 3
                    else 4
                end asc,
                case when undoes_suspect then 0 else 1 end asc,
                acted_at asc,
                intervention_id asc
        ) as place
    from based

)

select
    intervention_id,
    issue_id,
    product,
    issue_type,
    kind,
    acted_at,
    ended_at,
    window_ends_at,
    plan_id,
    mitigation,
    case when kind = 'fixing_release' then change_id end as release_id,
    version,
    case when kind = 'flag_change' then change_id end as flag,
    ticket_event,
    actor,
    undoes_suspect,
    basis,
    cast(candidates as bigint) as candidates,
    cast(place as bigint) as place,
    basis <> 'nothing' and place = 1 as is_credited,
    case
        when basis <> 'nothing' and place = 1 then null
        when basis <> 'nothing' then 'another_came_first'
        when not is_over and ended_at is null then 'too_early'
        when complaints_avoided <= 0 then 'no_fall'
        when ended_at is not null then 'undone'
        else 'not_distinguishable'
    end as not_credited_because
from ranked

-- Clocks of each issue, from the first complaint to its end; of several tickets or plans, those of the first.
with tickets as (

    select
        issue_id,
        min(case when event = 'created' then occurred_at end) as ticketed_at,
        min(case when by_person then occurred_at end) as first_touched_at
    from {{ ref('stg_ticket_events') }}
    group by issue_id

),

-- What was only recorded (shadow) was proposed to nobody.
plans as (

    select
        issue_id,
        min(case when mode <> 'shadow' then proposed_at end) as plan_proposed_at,
        min(approved_at) as approved_at,
        min(applied_at) as in_force_at,
        min(verified_at) as verified_at
    from {{ ref('int_mitigation_plans') }}
    group by issue_id

)

select
    episodes.issue_id,
    earliest.first_complaint_at,
    earliest.could_have_known_at,
    episodes.detected_at,
    tickets.ticketed_at,
    tickets.first_touched_at,
    plans.plan_proposed_at,
    plans.approved_at,
    plans.in_force_at,
    plans.verified_at,
    outcomes.undone_at as fixed_at,
    usual.usual_again_at,
    episodes.resolved_at as closed_at
from {{ ref('int_episodes') }} as episodes
inner join {{ ref('int_issue_earliest_evidence') }} as earliest on episodes.issue_id = earliest.issue_id
left join tickets on episodes.issue_id = tickets.issue_id
left join plans on episodes.issue_id = plans.issue_id
left join {{ ref('int_mitigation_outcomes') }} as outcomes on episodes.issue_id = outcomes.issue_id
left join {{ ref('int_issue_usual_again') }} as usual on episodes.issue_id = usual.issue_id

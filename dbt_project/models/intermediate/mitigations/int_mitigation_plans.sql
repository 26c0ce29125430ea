-- Plans with the times of what became of them.
{% set order = [
    'proposed', 'reminded', 'escalated', 'vote_not_counted', 'approved', 'begun', 'waits', 'applied', 'effective', 'ineffective',
    'not_distinguishable', 'drifted', 'returned', 'undo_offered', 'undo_asked', 'undo_refused', 'undone', 'refused', 'expired',
    'voided', 'failed'
] %}
{% set times = {
    'proposed': 'proposed_at', 'approved': 'approved_at', 'refused': 'refused_at', 'expired': 'expired_at',
    'voided': 'voided_at', 'applied': 'applied_at', 'undone': 'undone_at', 'failed': 'failed_at'
} %}
with events as (

    select
        *,
        -- Of two events at one instant the later step of a plan's life is the last.
        row_number() over (
            partition by plan_id
            order by
                occurred_at desc,
                case event
                    {%- for event in order %}
                        when '{{ event }}' then {{ loop.index }}
                    {%- endfor %}
                end desc,
                event_id desc
        ) as last_first
    from {{ ref('stg_plan_events') }}

),

plans as (

    select
        plan_id,
        min(issue_id) as issue_id,
        min(mitigation) as mitigation,
        min(tier) as tier,
        min(target) as target,
        min(item) as item,
        max(case when last_first = 1 then mode end) as mode,
        max(case when last_first = 1 then state end) as state,
        max(case when last_first = 1 then event end) as last_event,
        max(case when last_first = 1 then actor end) as last_actor,
        max(case when last_first = 1 then reason end) as last_reason,
        max(case when last_first = 1 then occurred_at end) as last_event_at,
        min(occurred_at) as first_event_at,
        {%- for event, at in times.items() %}
            min(case when event = '{{ event }}' then occurred_at end) as {{ at }},
        {%- endfor %}
        min(case when event in ('effective', 'ineffective', 'not_distinguishable') then occurred_at end) as verified_at,
        max(case when event = 'drifted' then occurred_at end) as drifted_at
    from events
    group by plan_id

)

select
    *,
    -- The one that counts: what is, or may be, in force, else the newest.
    row_number() over (
        partition by issue_id, mitigation
        order by
            case when state in ('applying', 'in_force', 'undoing') then 0 else 1 end asc,
            first_event_at desc,
            plan_id asc
    ) = 1 as is_latest
from plans

with issues as (

    select * from {{ ref('fct_issues') }}

),

events as (

    select * from {{ ref('stg_ticket_events') }}

),

tickets as (

    select
        issue_id,
        min(case when event = 'resolved' then occurred_at end) as ticket_closed_at,
        min(case when event in ('created', 'updated', 'resolved') then url end) as ticket_url
    from events
    group by issue_id

),

-- Our own changes to a ticket's status. An update reopens a ticket that we had closed.
ours as (

    select
        issue_id,
        occurred_at,
        case when event = 'resolved' then 'resolved' else 'open' end as resolution,
        row_number() over (partition by issue_id order by occurred_at desc, event_id desc) as newest
    from (
        select
            *,
            lag(event) over (partition by issue_id, destination order by occurred_at, event_id) as event_before
        from events
        where event in ('created', 'updated', 'resolved')
    ) as moves
    where event <> 'updated' or event_before = 'resolved'

),

theirs as (

    select
        issue_id,
        event,
        value,
        resolution,
        actor,
        by_person,
        occurred_at,
        row_number() over (
            partition by issue_id, event
            order by occurred_at desc, known_at desc, event_id desc
        ) as newest
    from events
    where event in ('status', 'assignee')

),

-- Status by the last change, ours or theirs; our closing of a ticket that a person has closed changes nothing.
joined as (

    select
        issues.*,
        clocks.first_complaint_at,
        clocks.could_have_known_at,
        clocks.ticketed_at,
        clocks.first_touched_at,
        clocks.plan_proposed_at,
        clocks.approved_at,
        clocks.in_force_at,
        clocks.verified_at,
        clocks.fixed_at,
        clocks.usual_again_at,
        clocks.closed_at,
        tickets.ticket_closed_at,
        tickets.ticket_url,
        case
            when status.resolution is null then ours.resolution
            when ours.occurred_at > status.occurred_at and ours.resolution = 'open' then 'open'
            when ours.occurred_at > status.occurred_at and status.resolution = 'open' then ours.resolution
            else status.resolution
        end as ticket_status,
        nullif(assigned.value, '') as ticket_assignee,
        case when status.by_person and status.resolution = 'resolved' then status.occurred_at end
            as resolved_by_person_at,
        case when status.by_person and status.resolution = 'resolved' then status.value end as resolved_as,
        case when status.by_person and status.resolution = 'rejected' then status.occurred_at end as rejected_at,
        case when status.by_person and status.resolution = 'rejected' then status.value end as rejected_as,
        case when status.by_person and status.resolution = 'rejected' then nullif(status.actor, '') end as rejected_by
    from issues
    left join {{ ref('int_issue_clocks') }} as clocks on issues.issue_id = clocks.issue_id
    left join tickets on issues.issue_id = tickets.issue_id
    left join ours on issues.issue_id = ours.issue_id and ours.newest = 1
    left join theirs as status
        on issues.issue_id = status.issue_id and status.event = 'status' and status.newest = 1
    left join theirs as assigned
        on issues.issue_id = assigned.issue_id and assigned.event = 'assignee' and assigned.newest = 1

)

select
    ---------- ids
    issue_id,
    product,
    issue_type,
    suspect_release_id,

    ---------- text
    priority,
    status,
    ticket_url,
    ticket_status,
    ticket_assignee,
    resolved_as,
    rejected_as,
    rejected_by,

    ---------- clocks
    started_at,
    first_complaint_at,
    could_have_known_at,
    detected_at,
    ticketed_at,
    first_touched_at,
    plan_proposed_at,
    approved_at,
    in_force_at,
    verified_at,
    fixed_at,
    usual_again_at,
    closed_at,
    resolved_at,
    ticket_closed_at,
    resolved_by_person_at,
    rejected_at,

    ---------- minutes
    cast({{ seconds_between('started_at', 'first_complaint_at') }} / 60.0 as double) as minutes_to_complain,
    cast({{ seconds_between('started_at', 'detected_at') }} / 60.0 as double) as minutes_to_detect,
    cast({{ seconds_between('could_have_known_at', 'detected_at') }} / 60.0 as double) as minutes_unnoticed,
    cast({{ seconds_between('detected_at', 'ticketed_at') }} / 60.0 as double) as minutes_to_ticket,
    cast({{ seconds_between('ticketed_at', 'first_touched_at') }} / 60.0 as double) as minutes_to_touch,
    cast({{ seconds_between('detected_at', 'plan_proposed_at') }} / 60.0 as double) as minutes_to_plan,
    cast({{ seconds_between('plan_proposed_at', 'approved_at') }} / 60.0 as double) as minutes_to_approve,
    cast({{ seconds_between(
        'case when approved_at <= in_force_at then approved_at else plan_proposed_at end', 'in_force_at'
    ) }} / 60.0 as double) as minutes_to_force,
    cast({{ seconds_between('in_force_at', 'verified_at') }} / 60.0 as double) as minutes_to_verify,
    cast({{ seconds_between('started_at', 'in_force_at') }} / 60.0 as double) as minutes_to_mitigate,
    cast({{ seconds_between('started_at', 'fixed_at') }} / 60.0 as double) as minutes_to_fix,
    cast({{ seconds_between('started_at', 'usual_again_at') }} / 60.0 as double) as minutes_to_usual,
    cast({{ seconds_between('started_at', 'resolved_at') }} / 60.0 as double) as minutes_to_resolve
from joined

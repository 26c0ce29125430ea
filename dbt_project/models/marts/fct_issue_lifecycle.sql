with issues as (

    select * from {{ ref('fct_issues') }}

),

tickets as (

    select
        issue_id,
        min(case when event = 'created' then occurred_at end) as ticketed_at,
        min(case when event = 'resolved' then occurred_at end) as ticket_closed_at,
        min(url) as ticket_url
    from {{ ref('stg_ticket_events') }}
    group by issue_id

)

select
    issues.issue_id,
    issues.product,
    issues.issue_type,
    issues.priority,
    issues.status,
    issues.started_at,
    issues.detected_at,
    tickets.ticketed_at,
    issues.resolved_at,
    tickets.ticket_closed_at,
    tickets.ticket_url,
    cast({{ seconds_between('issues.started_at', 'issues.detected_at') }} / 60.0 as double) as minutes_to_detect,
    cast({{ seconds_between('issues.detected_at', 'tickets.ticketed_at') }} / 60.0 as double) as minutes_to_ticket,
    cast({{ seconds_between('issues.started_at', 'issues.resolved_at') }} / 60.0 as double) as minutes_to_resolve
from issues
left join tickets on issues.issue_id = tickets.issue_id

-- Day on which each product adopted the loop: by the playbook, else that of its first ticket.
with tickets as (

    select
        issues.product,
        min(events.occurred_at) as first_ticket_at
    from {{ ref('stg_ticket_events') }} as events
    inner join {{ ref('int_issues') }} as issues on events.issue_id = issues.issue_id
    where events.event = 'created'
    group by issues.product

),

products as (

    select distinct product
    from {{ ref('int_outcome_hours') }}

)

select
    products.product,
    date_trunc('day', coalesce(said.adopted_at, tickets.first_ticket_at)) as adopted_at,
    case
        when said.adopted_at is not null then 'playbook'
        when tickets.first_ticket_at is not null then 'first_ticket'
    end as adopted_by
from products
left join {{ ref('stg_playbook_adoptions') }} as said on products.product = said.product
left join tickets on products.product = tickets.product

with complaints as (

    select
        feedback.product,
        lower(coalesce(feedback.platform, 'unknown')) as platform,
        date_trunc('week', feedback.occurred_at) as week,
        count(*) as complaints,
        count(distinct feedback.person_key) as customers
    from {{ ref('fct_feedback') }} as feedback
    inner join {{ ref('taxonomy') }} as taxonomy on feedback.issue_type = taxonomy.issue_type
    where feedback.is_counted and taxonomy.actionable
    group by
        feedback.product, lower(coalesce(feedback.platform, 'unknown')), date_trunc('week', feedback.occurred_at)

),

visits as (

    select
        product,
        lower(coalesce(platform, 'unknown')) as platform,
        date_trunc('week', day) as week,
        sum(entered) as visits
    from {{ ref('fct_funnel_daily') }}
    where step = 'visit'
    group by product, lower(coalesce(platform, 'unknown')), date_trunc('week', day)

),

weeks as (

    select
        product,
        platform,
        week
    from complaints
    union distinct
    select
        product,
        platform,
        week
    from visits

)

select
    weeks.product,
    weeks.platform,
    weeks.week,
    cast(coalesce(complaints.complaints, 0) as bigint) as complaints,
    cast(coalesce(complaints.customers, 0) as bigint) as customers,
    cast(visits.visits as bigint) as visits,
    case
        when visits.visits > 0
            then {{ rounded('1000.0 * coalesce(complaints.complaints, 0) / visits.visits', 3) }}
    end as complaints_per_1000_visits
from weeks
left join complaints
    on
        weeks.product = complaints.product
        and weeks.platform = complaints.platform
        and weeks.week = complaints.week
left join visits
    on
        weeks.product = visits.product
        and weeks.platform = visits.platform
        and weeks.week = visits.week

with releases as (

    select
        *,
        lead(deployed_at) over (
            partition by product, coalesce(lower(platform), ''), version
            order by deployed_at, release_id
        ) as deployed_again_at
    from {{ ref('fct_releases') }}
    where is_production and version is not null

),

said as (

    select
        releases.release_id,
        count(*) as feedback,
        count(*) filter (where taxonomy.actionable) as complaints,
        count(distinct case when taxonomy.actionable then feedback.person_key end) as customers
    from releases
    inner join {{ ref('fct_feedback') }} as feedback
        on
            releases.product = feedback.product
            and releases.version = feedback.app_version
            and coalesce(lower(releases.platform) = lower(feedback.platform), true)
            and releases.deployed_at <= feedback.occurred_at
            and coalesce(releases.deployed_again_at > feedback.occurred_at, true)
    inner join {{ ref('taxonomy') }} as taxonomy on feedback.issue_type = taxonomy.issue_type
    where feedback.is_counted
    group by releases.release_id

),

visited as (

    select
        releases.release_id,
        sum(funnel.entered) as visits
    from releases
    inner join {{ ref('int_funnel_days') }} as funnel
        on
            releases.product = funnel.product
            and releases.version = funnel.app_version
            and coalesce(lower(releases.platform) = lower(funnel.platform), true)
            and date_trunc('day', releases.deployed_at) <= funnel.day
            and coalesce(date_trunc('day', releases.deployed_again_at) > funnel.day, true)
    where funnel.step = 'visit'
    group by releases.release_id

)

select
    releases.release_id,
    releases.product,
    releases.platform,
    releases.version,
    releases.deployed_at,
    cast(coalesce(said.complaints, 0) as bigint) as complaints,
    cast(coalesce(said.customers, 0) as bigint) as customers,
    cast(coalesce(said.feedback, 0) as bigint) as feedback,
    case
        when said.feedback > 0 then {{ rounded('cast(said.complaints as double) / said.feedback') }}
    end as complaint_share,
    cast(visited.visits as bigint) as visits,
    case
        when visited.visits > 0 then {{ rounded('1000.0 * coalesce(said.complaints, 0) / visited.visits', 3) }}
    end as complaints_per_1000_visits,
    releases.issues_blamed
from releases
left join said on releases.release_id = said.release_id
left join visited on releases.release_id = visited.release_id

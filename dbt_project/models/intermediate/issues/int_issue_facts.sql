-- The facts of an issue's summary beside those in its evidence: the suspect as people know it and how far it is rolled
-- out, how complaints develop, and what was lost, with its currency. What a brief says of them is written elsewhere.
with evidence as (

    select * from {{ ref('int_issue_evidence') }}

),

-- What to go back to: the version named in the release, else the one that went out before it to the same place.
releases as (

    select
        release_id,
        url,
        service,
        rollout_percent,
        coalesce(
            previous_version,
            lag(version) over (
                partition by product, lower(environment), coalesce(platform, ''), coalesce(service, '')
                order by deployed_at, release_id
            )
        ) as previous_version
    from {{ ref('stg_releases') }}

),

flags as (

    select
        product,
        flag_key,
        enabled,
        {{ flag_change_id('flag_key', 'changed_at') }} as change_id,
        row_number() over (
            partition by product, {{ flag_change_id('flag_key', 'changed_at') }}
            order by changed_at desc, environment asc
        ) as last_first
    from {{ ref('stg_flag_changes') }}
    where lower(environment) in ('production', 'prod', 'live')

),

currencies as (

    select
        issues.issue_id,
        min(orders.currency) as currency,
        cast(count(distinct orders.currency) as bigint) as currencies
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('stg_orders') }} as orders
        on
            issues.product = orders.product
            and issues.started_at - interval '672' hour < orders.ordered_at
            and issues.ended_at >= orders.ordered_at
            and issues.ended_at >= orders.known_at
    group by issues.issue_id

)

select
    evidence.issue_id,

    ---------- the suspect
    case when evidence.suspect_release_id is not null then evidence.candidate_kind end as suspect_kind,
    {{ platform_title('candidates.platform') }} as suspect_platform,
    releases.service as suspect_service,
    releases.previous_version as suspect_previous_version,
    releases.url as suspect_url,
    flags.flag_key as suspect_flag,
    flags.enabled as suspect_flag_enabled,
    cast(releases.rollout_percent as double) as suspect_rollout_percent,
    candidates.changed_at as suspect_changed_at,
    evidence.rollback_supported,

    ---------- the place
    {{ platform_title('evidence.scope_platform') }} as platform_title,

    ---------- the development
    trend.direction,
    trend.latest_day,
    trend.complaints_latest_day,
    trend.complaints_day_before,
    trend.complaints_since,
    trend.usual_per_day,

    ---------- the loss; what the funnel lost by chance is none
    case when coalesce(currencies.currencies, 0) = 1 then currencies.currency end as currency,
    coalesce(currencies.currencies, 0) as currencies,
    case
        when evidence.has_business
            then {{ rounded(
                'greatest(0.0, business.conversion_before - business.conversion_during)'
                ~ ' * business.entered_during * business.order_share', 1
            ) }}
    end as orders_lost,
    case when evidence.has_business then evidence.lost_conversion_value end as lost_orders_value,
    case when evidence.has_business then {{ rounded('evidence.conversion_during') }} end as conversion_during,
    case when evidence.has_business then {{ rounded('evidence.conversion_before') }} end as conversion_before,
    evidence.refund_value,
    evidence.churn_value
from evidence
inner join {{ ref('int_issue_trend') }} as trend on evidence.issue_id = trend.issue_id
left join {{ ref('int_issue_business') }} as business on evidence.issue_id = business.issue_id
left join {{ ref('int_release_candidates') }} as candidates
    on evidence.issue_id = candidates.issue_id and evidence.suspect_release_id = candidates.change_id
left join releases on evidence.suspect_release_id = releases.release_id
left join flags
    on evidence.product = flags.product and evidence.suspect_release_id = flags.change_id and flags.last_first = 1
left join currencies on evidence.issue_id = currencies.issue_id

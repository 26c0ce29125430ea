-- Facts of an issue beside those in its evidence: the suspect, the development of complaints, and the loss with its
-- currency. Their wording is the brief's.
with evidence as (

    select * from {{ ref('int_issue_evidence') }}

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
            and issues.started_at - {{ days(var('evidence_days')) }} < orders.ordered_at
            and issues.ended_at >= orders.ordered_at
            and issues.ended_at >= orders.known_at
    group by issues.issue_id

)

select
    evidence.issue_id,

    ---------- the suspect
    suspects.suspect_kind,
    suspects.suspect_platform,
    suspects.suspect_service,
    suspects.suspect_previous_version,
    suspects.suspect_url,
    suspects.suspect_flag,
    suspects.suspect_flag_enabled,
    suspects.suspect_rollout_percent,
    suspects.suspect_changed_at,
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
left join {{ ref('int_issue_suspect') }} as suspects on evidence.issue_id = suspects.issue_id
left join currencies on evidence.issue_id = currencies.issue_id

-- Facts of each issue beside its evidence: the suspect, the trend of complaints, and the loss with its currency. Their
-- wording is the brief's.
with evidence as (

    select * from {{ ref('int_issue_evidence') }}

),

currencies as (

    select
        issue_id,
        min(currency) as currency,
        cast(count(distinct currency) as bigint) as currencies
    from {{ ref('int_issue_order_lines') }}
    where is_ordered_in_period
    group by issue_id

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
    -- How often the benchmark was right where it gave such a probability.
    case when evidence.suspect_release_id is not null then record.weighed end as confidence_weighed,
    case when evidence.suspect_release_id is not null then record.to_blame end as confidence_to_blame,

    ---------- the place
    {{ platform_title('evidence.scope_platform') }} as platform_title,

    ---------- the trend
    trend.direction,
    trend.latest_day,
    trend.complaints_latest_day,
    trend.complaints_day_before,
    trend.complaints_since,
    trend.usual_per_day,

    ---------- the loss; a fall of the funnel within chance is none
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
left join {{ ref('confidence_record') }} as record
    on
        evidence.candidate_confidence >= record.band_from
        and (evidence.candidate_confidence < record.band_to or record.band_to >= 1.0)

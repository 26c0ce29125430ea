-- Evidence of each issue in one row: scope, suspect, technical, business, customers, and the number of independent
-- kinds of signal that agree.
with best_candidate as (

    select * from {{ ref('int_release_correlation') }}
    where candidate_rank = 1 and is_change

),

-- Products of which changes are recorded: only there does the absence of a candidate say something.
recorded as (

    select product from {{ ref('stg_releases') }}
    union distinct
    select product from {{ ref('stg_flag_changes') }}

),

joined as (

    select
        issues.issue_id,
        issues.product,
        issues.issue_type,
        issues.started_at,
        issues.detected_at,
        issues.resolved_at,
        issues.status,
        issues.peak_score,
        issues.peak_times_expected,
        issues.recurrences,
        {{ seconds_between('issues.started_at', 'issues.ended_at') }} / 86400.0 as days_lasting,
        scope.scope_platform,
        scope.scope_version,
        scope.scope_country,
        scope.scope_feature,
        customers.feedback_count,
        customers.evidence,
        customers.customers_affected,
        customers.known_people,
        customers.new_accounts,
        customers.segment_weight,
        customers.churn_value,
        customers.support_count,
        customers.support_ratio,
        customers.support_beside_count,
        customers.support_beside_expected,
        technical.errors_during,
        technical.error_rate_during,
        technical.error_rate_before,
        technical.error_ratio,
        technical.requests_during,
        technical.latency_during,
        technical.latency_before,
        technical.latency_ratio,
        business.conversion_before,
        business.conversion_during,
        business.conversion_ratio,
        business.fall_z,
        coalesce(business.lost_conversion_value, 0.0) as lost_conversion_value,
        coalesce(refunds.refund_value, 0.0) as refund_value,
        candidate.change_id as candidate_id,
        candidate.change_kind as candidate_kind,
        candidate.version as candidate_version,
        candidate.confidence as candidate_confidence,
        candidate.verdict as candidate_verdict,
        candidate.log_e_value as candidate_log_e_value,
        candidate.strong_origins as candidate_strong_origins,
        recorded.product is not null as has_recorded_changes,
        greatest(candidate.technical, candidate.shift) as change_telemetry,
        candidate.complaint_rate_on_version >= 2.0 * candidate.complaint_rate_elsewhere
        and candidate.control_weight >= 10.0 as has_control,
        settings.min_evidence,
        settings.urgent_known_people,
        settings.urgent_people,
        {{ rounded('-ln(settings.rollback_alpha)') }} as rollback_log_e_value
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('int_issue_scope') }} as scope on issues.issue_id = scope.issue_id
    inner join {{ ref('int_issue_customers') }} as customers on issues.issue_id = customers.issue_id
    left join {{ ref('int_issue_technical') }} as technical on issues.issue_id = technical.issue_id
    left join {{ ref('int_issue_business') }} as business on issues.issue_id = business.issue_id
    left join {{ ref('int_issue_refunds') }} as refunds on issues.issue_id = refunds.issue_id
    left join best_candidate as candidate on issues.issue_id = candidate.issue_id
    left join recorded on issues.product = recorded.product
    cross join {{ ref('stg_playbook_settings') }} as settings

),

judged as (

    select
        *,
        case
            when candidate_verdict is not null then candidate_verdict
            when feedback_count < min_evidence or not has_recorded_changes then 'insufficient_data'
            else 'no_regression'
        end as verdict,
        coalesce(error_ratio >= 1.5 and errors_during >= 20, false) as has_errors,
        coalesce(latency_ratio >= 1.5 and requests_during >= 100, false) as is_slow,
        coalesce(conversion_ratio <= 0.9 and fall_z >= 4.0, false) as has_business,
        -- Tickets and chats among the complaints are the complaints again: support is a signal by the others.
        support_beside_count >= 2.0 * support_beside_expected
        and support_beside_count - support_beside_expected >= 5.0 as has_support,
        coalesce(support_ratio >= 2.0 and support_count >= 5, false) as has_support_load
    from joined

)

select
    *,
    has_errors or is_slow as has_technical,
    -- Text alone is urgent only if the company knows enough of the people, or if they are many.
    not (has_errors or is_slow or has_business)
    and known_people < urgent_known_people and customers_affected < urgent_people as rests_on_strangers,
    greatest(
        case when has_errors then error_ratio else 1.0 end, case when is_slow then latency_ratio else 1.0 end
    ) as technical_ratio,
    verdict = 'regression' as has_change,
    -- No single source carries a rollback: two signals of different provenance must be strong, each on its own. And the
    -- e-value of all must exceed what chance reaches under continuous monitoring.
    verdict = 'regression' and candidate_kind = 'release' and candidate_log_e_value >= rollback_log_e_value
    and candidate_strong_origins >= 2 as rollback_supported,
    case when verdict = 'regression' then candidate_id end as suspect_release_id,
    case when verdict = 'regression' then candidate_version end as suspect_version,
    1
    + case when has_errors or is_slow then 1 else 0 end
    + case when has_business then 1 else 0 end
    + case when has_support then 1 else 0 end
    -- A change counts by what telemetry or a control says of it, unless that was counted above.
    + case
        when verdict = 'regression' and has_control then 1
        when verdict = 'regression' and change_telemetry >= 0.2 and not (has_errors or is_slow or has_business) then 1
        else 0
    end as signals,
    {{ rounded(
        'churn_value + refund_value + case when has_business then lost_conversion_value else 0.0 end', 2
    ) }} as revenue_at_risk
from judged

-- Refunds caused by each issue: refunds since its onset beyond those of the 28 days before, for issue types that end in
-- refunds (taxonomy).
with sums as (

    select
        issues.issue_id,
        max({{ seconds_between('issues.started_at', 'issues.ended_at') }} / 86400.0) as days_during,
        coalesce(sum(lines.refund_amount) filter (where lines.is_refunded_during), 0.0) as refunded_during,
        coalesce(sum(lines.refund_amount) filter (where not lines.is_refunded_during), 0.0) as refunded_before
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('taxonomy') }} as taxonomy on issues.issue_type = taxonomy.issue_type
    inner join {{ ref('int_issue_order_lines') }} as lines on issues.issue_id = lines.issue_id
    where taxonomy.refunds_follow and lines.is_refunded_in_period
    group by issues.issue_id

)

select
    issue_id,
    refunded_during,
    refunded_before,
    {{ rounded(
        'greatest(0.0, refunded_during - refunded_before * days_during / ' ~ var('evidence_days') ~ '.0)', 2
    ) }} as refund_value
from sums

-- What each issue had cost by the end of each day of its life: the parts of the revenue at risk, by the formulas of
-- int_issue_business, int_issue_refunds and int_issue_people, up to there. On the last day they are those of the issue.
with digits as (

    select numbers.n from {{ numbers(0, 9) }}

),

spans as (

    select
        issues.issue_id,
        issues.started_at,
        issues.ended_at,
        date_trunc('day', least(issues.started_at, coalesce(min(course.happened_at), issues.started_at))) as first_day,
        greatest({{ day_of('issues.ended_at') }}, date_trunc('day', max(course.happened_at))) as last_day
    from {{ ref('int_issues') }} as issues
    left join {{ ref('int_issue_course') }} as course on issues.issue_id = course.issue_id
    group by issues.issue_id, issues.started_at, issues.ended_at

),

-- Days of each issue, up to a thousand.
days as (

    select
        spans.*,
        spans.first_day + (ones.n + 10 * tens.n + 100 * hundreds.n) * {{ days(1) }} as day
    from spans
    cross join digits as ones
    cross join digits as tens
    cross join digits as hundreds
    where spans.first_day + (ones.n + 10 * tens.n + 100 * hundreds.n) * {{ days(1) }} <= spans.last_day

),

happened as (

    select
        issue_id,
        date_trunc('day', happened_at) as day,
        sum(complaints) as complaints,
        sum(support_complaints) as support_complaints,
        sum(entered) as entered,
        sum(completed) as completed
    from {{ ref('int_issue_course') }}
    group by issue_id, date_trunc('day', happened_at)

),

churned as (

    select
        issue_id,
        date_trunc('day', first_said_at) as day,
        sum(cast(churn_value as decimal(24, 6))) as churn_value
    from {{ ref('int_issue_people') }}
    group by issue_id, date_trunc('day', first_said_at)

),

refunded as (

    select
        lines.issue_id,
        date_trunc('day', lines.refunded_at) as day,
        sum(cast(lines.refund_amount as decimal(24, 6))) as refunded
    from {{ ref('int_issue_order_lines') }} as lines
    inner join {{ ref('int_issue_refunds') }} as refunds on lines.issue_id = refunds.issue_id
    where lines.is_refunded_in_period and lines.is_refunded_during
    group by lines.issue_id, date_trunc('day', lines.refunded_at)

),

summed as (

    select
        days.issue_id,
        days.day,
        cast(coalesce(happened.complaints, 0) as bigint) as complaints,
        cast(coalesce(happened.support_complaints, 0) as bigint) as support_complaints,
        happened.entered,
        happened.completed,
        {{ seconds_between('days.started_at', 'least(days.day + ' ~ days(1) ~ ', days.ended_at)') }} / 86400.0
            as days_so_far,
        coalesce(sum(happened.entered) over so_far, 0.0) as entered_so_far,
        coalesce(sum(happened.completed) over so_far, 0.0) as completed_so_far,
        cast(coalesce(sum(churned.churn_value) over so_far, 0) as double) as churn_so_far,
        cast(coalesce(sum(refunded.refunded) over so_far, 0) as double) as refunded_so_far
    from days
    left join happened on days.issue_id = happened.issue_id and days.day = happened.day
    left join churned on days.issue_id = churned.issue_id and days.day = churned.day
    left join refunded on days.issue_id = refunded.issue_id and days.day = refunded.day
    window so_far as (
        partition by days.issue_id
        order by days.day
        rows unbounded preceding
    )

),

valued as (

    select
        summed.issue_id,
        summed.day,
        summed.complaints,
        summed.support_complaints,
        summed.entered,
        summed.completed,
        {{ rounded('summed.churn_so_far', 2) }} as churn_so_far,
        {{ rounded(
            'greatest(0.0, summed.refunded_so_far - coalesce(refunds.refunded_before, 0.0)'
            ~ ' * greatest(0.0, summed.days_so_far) / ' ~ var('evidence_days') ~ '.0)', 2
        ) }} as refund_so_far,
        coalesce(case when evidence.has_business then {{ rounded(
            'greatest(0.0, business.conversion_before'
            ~ ' - (summed.completed_so_far + 0.5) / (summed.entered_so_far + 1.0))'
            ~ ' * summed.entered_so_far * business.order_share * business.average_order_value', 2
        ) }} end, 0.0) as lost_conversion_so_far
    from summed
    inner join {{ ref('int_issue_evidence') }} as evidence on summed.issue_id = evidence.issue_id
    left join {{ ref('int_issue_business') }} as business on summed.issue_id = business.issue_id
    left join {{ ref('int_issue_refunds') }} as refunds on summed.issue_id = refunds.issue_id

)

select
    *,
    {{ rounded('churn_so_far + refund_so_far + lost_conversion_so_far', 2) }} as revenue_at_risk_so_far
from valued

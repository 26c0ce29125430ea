-- What the issues of the last `recurrence_days` say of each feature. What an issue cost in the rolling window is split
-- over the features that its complaints name, by their number, so that the parts add up to the issue's.
with issues as (

    select
        issue_id,
        product,
        issue_type,
        status,
        priority,
        started_at,
        resolved_at,
        status = 'open' or resolved_at > {{ as_of() }} - {{ days(var('roadmap_days')) }} as is_now
    from {{ ref('fct_issues') }}
    where started_at > {{ as_of() }} - {{ days(var('recurrence_days')) }} or status = 'open'

),

-- Complaints of the type from a day before an issue's onset to its end, as in int_issue_feedback, but of all issues.
named as (

    select
        issues.issue_id,
        coalesce(feedback.feature, 'none') as feature,
        count(*) as complaints
    from issues
    inner join {{ ref('int_feedback') }} as feedback
        on
            issues.product = feedback.product
            and issues.issue_type = feedback.issue_type
            and issues.started_at - {{ days(1) }} < feedback.counted_at
            and coalesce(issues.resolved_at, {{ as_of() }}) >= feedback.counted_at
    where feedback.is_counted is not false
    group by issues.issue_id, coalesce(feedback.feature, 'none')

),

shares as (

    select
        *,
        cast(complaints as double) / sum(complaints) over (partition by issue_id) as share
    from named

),

-- The last day of each issue, and the last one before the window.
last_days as (

    select
        *,
        day < date_trunc('day', {{ as_of() }} - {{ days(var('roadmap_days')) }}) as is_before,
        row_number() over (partition by issue_id order by day desc) as from_end,
        row_number() over (
            partition by issue_id, day < date_trunc('day', {{ as_of() }} - {{ days(var('roadmap_days')) }})
            order by day desc
        ) as from_end_of_part
    from {{ ref('fct_issue_days') }}

),

costs as (

    select
        issue_id,
        greatest(
            0.0,
            sum(case when from_end = 1 then revenue_at_risk_so_far else 0.0 end)
            - sum(case when is_before and from_end_of_part = 1 then revenue_at_risk_so_far else 0.0 end)
        ) as lost_value,
        greatest(
            0.0,
            sum(case when from_end = 1 then lost_conversion_so_far else 0.0 end)
            - sum(case when is_before and from_end_of_part = 1 then lost_conversion_so_far else 0.0 end)
        ) as lost_conversion
    from last_days
    group by issue_id

)

select
    issues.product,
    issues.issue_type,
    shares.feature,
    cast(sum(case when issues.is_now then 1 else 0 end) as bigint) as issues,
    cast(sum(case when issues.status = 'open' then 1 else 0 end) as bigint) as open_issues,
    cast(sum(case when issues.started_at > {{ as_of() }} - {{ days(var('recurrence_days')) }} then 1 else 0 end) as bigint)
        as episodes,
    min(case when issues.status = 'open' then issues.priority end) as worst_priority,
    {{ rounded(exact_sum('shares.share * coalesce(costs.lost_value, 0.0)'), 2) }} as lost_value,
    {{ rounded(exact_sum('shares.share * coalesce(costs.lost_conversion, 0.0)'), 2) }} as lost_conversion_value
from issues
inner join shares on issues.issue_id = shares.issue_id
left join costs on issues.issue_id = costs.issue_id
group by issues.product, issues.issue_type, shares.feature

-- The issues behind fct_roadmap. What an issue cost in the rolling window is split over the features that its
-- complaints name, by their number, so that the parts add up to the issue's.
with issues as (

    select
        issue_id,
        product,
        issue_type,
        status,
        priority,
        started_at,
        resolved_at,
        status = 'open' as is_open,
        fixed_at is not null as is_fix_out,
        status = 'open' or resolved_at > {{ as_of() }} - {{ days(var('roadmap_days')) }} as is_now,
        started_at > {{ as_of() }} - {{ days(var('recurrence_days')) }} as is_episode
    from {{ ref('fct_issue_lifecycle') }}
    where started_at > {{ as_of() }} - {{ days(var('recurrence_days')) }} or status = 'open'

),

-- Complaints of the type from a day before an issue's onset to its end, as in int_issue_feedback, but of all issues.
named as (

    select
        issues.issue_id,
        coalesce(feedback.feature, 'none') as feature,
        cast(count(*) as bigint) as complaints
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
        sum(complaints) over (partition by issue_id) as complaints_in_all,
        sum(complaints) over (
            partition by issue_id
            order by feature
            rows unbounded preceding
        ) as complaints_so_far
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
        ) as lost_conversion_value
    from last_days
    group by issue_id

),

-- Whole cents: what the features up to this one cost, less what those before it did.
split as (

    select
        shares.issue_id,
        shares.feature,
        shares.complaints,
        {{ rounded('cast(shares.complaints as double) / shares.complaints_in_all') }} as complaint_share,
        {{ rounded('costs.lost_value * shares.complaints_so_far / shares.complaints_in_all', 2) }} as value_so_far,
        {{ rounded(
            'costs.lost_value * (shares.complaints_so_far - shares.complaints) / shares.complaints_in_all', 2
        ) }} as value_before,
        {{ rounded('costs.lost_conversion_value * shares.complaints_so_far / shares.complaints_in_all', 2) }}
            as conversion_so_far,
        {{ rounded(
            'costs.lost_conversion_value * (shares.complaints_so_far - shares.complaints) / shares.complaints_in_all', 2
        ) }} as conversion_before
    from shares
    left join costs on shares.issue_id = costs.issue_id

)

select
    issues.issue_id,
    issues.product,
    issues.issue_type,
    split.feature,
    issues.status,
    issues.priority,
    issues.is_open,
    issues.is_fix_out,
    issues.is_now,
    issues.is_episode,
    issues.started_at,
    issues.resolved_at,
    split.complaints,
    split.complaint_share,
    case when issues.is_now then coalesce({{ rounded('split.value_so_far - split.value_before', 2) }}, 0.0) else 0.0 end
        as lost_value,
    case
        when issues.is_now then coalesce({{ rounded('split.conversion_so_far - split.conversion_before', 2) }}, 0.0)
        else 0.0
    end as lost_conversion_value
from issues
inner join split on issues.issue_id = split.issue_id

-- Complaints above expectation over the life of each issue: the daily excess summed at the tick's hour, day by day.
select
    issues.issue_id,
    sum(greatest(0.0, activity.excess)) as excess
from {{ ref('int_issues') }} as issues
inner join {{ ref('fct_issue_activity') }} as activity
    on
        issues.product = activity.product
        and issues.issue_type = activity.issue_type
        and activity.scope_kind = 'all'
        and issues.first_tick <= activity.tick
        and issues.ended_at >= activity.tick
        and extract(hour from issues.detected_at) = extract(hour from activity.tick)
group by issues.issue_id

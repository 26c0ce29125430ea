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
        and activity.tick >= issues.first_tick
        and activity.tick <= issues.ended_at
        and extract(hour from activity.tick) = extract(hour from issues.detected_at)
group by issues.issue_id

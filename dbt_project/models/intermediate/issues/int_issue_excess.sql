-- Complaints above expectation over the life of each issue: the daily excess at the time of day of detection, summed
-- over the days. A count that is valid at several such instants is summed once for each.
with standing as (

    select
        issues.issue_id,
        activity.excess,
        least(
            ceil({{ seconds_between('issues.detected_at', 'activity.valid_to') }} / 86400.0),
            floor({{ seconds_between('issues.detected_at', 'issues.ended_at') }} / 86400.0) + 1.0
        ) - ceil({{ seconds_between('issues.detected_at', 'activity.tick') }} / 86400.0) as days
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('int_issue_activity') }} as activity
        on
            issues.product = activity.product
            and issues.issue_type = activity.issue_type
            and activity.scope_kind = 'all'
            and issues.first_tick <= activity.tick
            and issues.ended_at >= activity.tick
    where activity.tick > {{ history_from() }}

)

select
    issue_id,
    sum(greatest(0.0, days) * greatest(0.0, excess)) as excess
from standing
group by issue_id

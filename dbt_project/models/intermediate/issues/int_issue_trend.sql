-- Trend of each issue: complaints on the last whole day against the day before and against the usual. Whole days, so
-- that a ticket changes when there is news and not with every quarter of an hour.
with issues as (

    select
        *,
        {{ day_of('ended_at') }} as last_day,
        {{ day_of('ended_at') }} + {{ days(1) }} = ended_at as is_last_day_whole
    from {{ ref('int_issues') }}

),

whole as (

    select
        *,
        case when is_last_day_whole then last_day else last_day - {{ days(1) }} end as latest_day
    from issues

),

daily as (

    select
        issue_id,
        {{ day_of(tick_of('counted_at')) }} as day,
        count(*) as complaints
    from {{ ref('int_issue_feedback') }}
    group by issue_id, {{ day_of(tick_of('counted_at')) }}

),

counted as (

    select
        whole.issue_id,
        cast(coalesce(sum(daily.complaints) filter (where daily.day = whole.latest_day), 0) as bigint)
            as complaints_latest_day,
        cast(coalesce(sum(daily.complaints) filter (
            where daily.day = whole.latest_day - {{ days(1) }}
        ), 0) as bigint) as complaints_day_before,
        cast(coalesce(sum(daily.complaints) filter (where daily.day > whole.latest_day), 0) as bigint)
            as complaints_since
    from whole
    left join daily on whole.issue_id = daily.issue_id
    group by whole.issue_id

),

-- Complaints expected of a day at detection, before the issue could enter its own baseline.
usual as (

    select
        whole.issue_id,
        max(activity.expected) as usual_per_day
    from whole
    inner join {{ ref('int_issue_activity') }} as activity
        on
            whole.product = activity.product
            and whole.issue_type = activity.issue_type
            and activity.scope_kind = 'all'
            and whole.detected_at >= activity.tick
            and whole.detected_at < activity.valid_to
    where activity.tick > {{ history_from() }}
    group by whole.issue_id

),

compared as (

    select
        whole.issue_id,
        whole.latest_day,
        whole.is_last_day_whole,
        {{ day_of('whole.started_at') }} < whole.latest_day as is_a_day_old,
        {{ day_of('whole.started_at') }} + {{ days(1) }} < whole.latest_day as is_comparable,
        counted.complaints_latest_day,
        counted.complaints_day_before,
        counted.complaints_since,
        usual.usual_per_day
    from whole
    inner join counted on whole.issue_id = counted.issue_id
    left join usual on whole.issue_id = usual.issue_id

)

select
    issue_id,
    -- The day of the onset is a partial one.
    case when is_a_day_old then latest_day end as latest_day,
    case when is_a_day_old then complaints_latest_day end as complaints_latest_day,
    case when is_comparable then complaints_day_before end as complaints_day_before,
    case when not is_last_day_whole and is_a_day_old then complaints_since end as complaints_since,
    {{ rounded('usual_per_day', 1) }} as usual_per_day,
    case
        when is_a_day_old and complaints_latest_day = 0 and complaints_since = 0 then 'quiet'
        when not is_comparable then 'new'
        when
            complaints_latest_day >= 1.25 * complaints_day_before and complaints_latest_day - complaints_day_before >= 3
            then 'rising'
        when
            complaints_latest_day <= 0.75 * complaints_day_before and complaints_day_before - complaints_latest_day >= 3
            then 'falling'
        else 'steady'
    end as direction
from compared

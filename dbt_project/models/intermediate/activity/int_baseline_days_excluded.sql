-- Days excluded from a baseline: the days of an issue that a person rejected, if the rejection was known when the
-- judged day began. So a rejection changes neither earlier decisions nor the ids of issues.
with counted as (

    select distinct
        complaints.product,
        complaints.issue_type,
        complaints.scope_kind,
        complaints.scope_value,
        {{ day_of('complaints.tick') }} as day,
        exclusions.first_day,
        exclusions.last_day,
        exclusions.known_at,
        exclusions.replaced_at
    from {{ ref('int_complaints') }} as complaints
    inner join {{ ref('stg_baseline_exclusions') }} as exclusions
        on
            complaints.product = exclusions.product
            and complaints.issue_type = exclusions.issue_type
            and (
                complaints.scope_kind <> 'platform' or exclusions.platform is null
                or complaints.scope_value = exclusions.platform
            )
            and (
                complaints.scope_kind <> 'country' or exclusions.country is null
                or complaints.scope_value = exclusions.country
            )
    where complaints.tick > {{ rebuild_from() }} - {{ days(2 * var('baseline_last_day')) }}

),

-- Feedback of one day is judged on that day and on the days whose trailing counts still hold it.
judged as (

    select
        counted.product,
        counted.issue_type,
        counted.scope_kind,
        counted.scope_value,
        counted.first_day,
        counted.last_day,
        counted.known_at,
        counted.replaced_at,
        counted.day + numbers.n * {{ days(1) }} as day
    from counted
    cross join {{ trailing_days() }}

),

baseline_days as (

    select
        judged.product,
        judged.issue_type,
        judged.scope_kind,
        judged.scope_value,
        judged.first_day,
        judged.last_day,
        judged.day,
        judged.day - numbers.n * {{ days(1) }} as excluded_day
    from judged
    cross join {{ baseline_days_back() }}
    where judged.known_at <= judged.day and (judged.replaced_at is null or judged.replaced_at > judged.day)

)

select distinct
    product,
    issue_type,
    scope_kind,
    scope_value,
    day,
    excluded_day
from baseline_days
where excluded_day >= first_day and (last_day is null or excluded_day <= last_day)

-- Which of the days behind a baseline stay out of it: those of an issue that a person rejected, by what was known when
-- the day that is judged began. So what was decided before stays, the ids of issues above all, when somebody says so.
with said as (

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
    where complaints.tick > {{ rebuild_from() }} - interval '1488' hour

),

later as (

    select days.n from (values (0), (1), (2), (3)) as days (n)

),

back as (

    select days.n
    from
        (
            values
            (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16), (17),
            (18), (19), (20), (21), (22), (23), (24), (25), (26), (27), (28), (29), (30), (31)
        ) as days (n)

),

judged as (

    select
        said.product,
        said.issue_type,
        said.scope_kind,
        said.scope_value,
        said.first_day,
        said.last_day,
        said.known_at,
        said.replaced_at,
        said.day + later.n * interval '24' hour as day
    from said
    cross join later

),

behind as (

    select
        judged.product,
        judged.issue_type,
        judged.scope_kind,
        judged.scope_value,
        judged.first_day,
        judged.last_day,
        judged.day,
        judged.day - back.n * interval '24' hour as left_out_day
    from judged
    cross join back
    where judged.known_at <= judged.day and (judged.replaced_at is null or judged.replaced_at > judged.day)

)

select distinct
    product,
    issue_type,
    scope_kind,
    scope_value,
    day,
    left_out_day
from behind
where left_out_day >= first_day and (last_day is null or left_out_day <= last_day)

-- How much chance to complain there was: visits over the last 24 and 72 hours per product and scope at every tick at
-- which complaints are counted, beside the mean day of the baseline (4 to 31 back). Products without funnel telemetry
-- have no rows here.
with visits as (

    select
        product,
        platform,
        country,
        cast(entered as bigint) as entered,
        {{ tick_of(counted_at('bucket_start', 'known_at')) }} as tick
    from {{ ref('stg_funnel_metrics') }}
    where step = 'visit'

),

scoped as (

    select
        product,
        'all' as scope_kind,
        'all' as scope_value,
        tick,
        entered
    from visits

    union all

    select
        product,
        'platform' as scope_kind,
        platform as scope_value,
        tick,
        entered
    from visits
    where platform is not null

    union all

    select
        product,
        'country' as scope_kind,
        country as scope_value,
        tick,
        entered
    from visits
    where country is not null

),

-- Telemetry may arrive once a day; complaints are counted at ticks of their own.
counted as (

    select
        product,
        scope_kind,
        scope_value,
        tick
    from {{ ref('int_complaints_trailing') }}
    where issue_type = '(any)'

),

changes as (

    select
        product,
        scope_kind,
        scope_value,
        tick,
        entered as change_24h,
        entered as change_72h,
        0 as is_counted
    from scoped
    where tick > {{ rebuild_from() }} - interval '72' hour

    union all

    select
        product,
        scope_kind,
        scope_value,
        tick + interval '24' hour as tick,
        -entered as change_24h,
        0 as change_72h,
        0 as is_counted
    from scoped
    where tick > {{ rebuild_from() }} - interval '72' hour

    union all

    select
        product,
        scope_kind,
        scope_value,
        tick + interval '72' hour as tick,
        0 as change_24h,
        -entered as change_72h,
        0 as is_counted
    from scoped
    where tick > {{ rebuild_from() }} - interval '72' hour

    union all

    select
        product,
        scope_kind,
        scope_value,
        tick,
        0 as change_24h,
        0 as change_72h,
        1 as is_counted
    from counted

),

ticks as (

    select
        product,
        scope_kind,
        scope_value,
        tick,
        sum(change_24h) as change_24h,
        sum(change_72h) as change_72h,
        max(is_counted) as is_counted
    from changes
    group by product, scope_kind, scope_value, tick

),

running as (

    select
        product,
        scope_kind,
        scope_value,
        tick,
        is_counted,
        cast(sum(change_24h) over series as double) as visits_24h,
        cast(sum(change_72h) over series as double) as visits_72h
    from ticks
    window series as (
        partition by product, scope_kind, scope_value
        order by tick
        rows unbounded preceding
    )

),

-- Days with visits, and the days on which complaints are counted.
days as (

    select
        product,
        scope_kind,
        scope_value,
        {{ day_of('tick') }} as day,
        cast(sum(entered) as double) as visits
    from scoped
    group by product, scope_kind, scope_value, {{ day_of('tick') }}

    union all

    select distinct
        product,
        scope_kind,
        scope_value,
        {{ day_of('tick') }} as day,
        0.0 as visits
    from counted

),

daily as (

    select
        product,
        scope_kind,
        scope_value,
        day,
        sum(visits) as visits
    from days
    group by product, scope_kind, scope_value, day

),

baseline as (

    select
        product,
        scope_kind,
        scope_value,
        day,
        avg(case when visits > 0 then visits end) over (
            partition by product, scope_kind, scope_value
            order by day
            range between interval '744' hour preceding and interval '96' hour preceding
        ) as visits_per_day
    from daily

)

select
    running.product,
    running.scope_kind,
    running.scope_value,
    running.tick,
    running.visits_24h,
    running.visits_72h,
    baseline.visits_per_day
from running
inner join baseline
    on
        running.product = baseline.product
        and running.scope_kind = baseline.scope_kind
        and running.scope_value = baseline.scope_value
        and {{ day_of('running.tick') }} = baseline.day
where running.is_counted = 1 and running.visits_72h > 0

-- How much chance to complain there was: visits over the last 24 and 72 hours per product and scope, beside the mean of
-- the same hour on the baseline's days (3 to 30 days back). Products without funnel telemetry have no rows here.
with visits as (

    select
        product,
        platform,
        country,
        entered,
        {{ tick_of(counted_at('bucket_start', 'known_at')) }} as tick
    from {{ ref('stg_funnel_metrics') }}
    where step = 'visit'

),

-- Telemetry may arrive once a day; the trailing counts are needed at every hour at which complaints are counted.
ticks as (

    select
        product,
        scope_kind,
        scope_value,
        tick,
        0.0 as entered
    from {{ ref('int_complaints_trailing') }}
    where issue_type = '(any)'

),

scoped as (

    select
        product,
        'all' as scope_kind,
        'all' as scope_value,
        tick,
        cast(entered as double) as entered
    from visits

    union all

    select
        product,
        'platform' as scope_kind,
        platform as scope_value,
        tick,
        cast(entered as double) as entered
    from visits
    where platform is not null

    union all

    select
        product,
        'country' as scope_kind,
        country as scope_value,
        tick,
        cast(entered as double) as entered
    from visits
    where country is not null

    union all

    select
        product,
        scope_kind,
        scope_value,
        tick,
        entered
    from ticks

),

hourly as (

    select
        product,
        scope_kind,
        scope_value,
        tick,
        sum(cast(entered as double)) as visits
    from scoped
    group by product, scope_kind, scope_value, tick

),

windowed as (

    select
        product,
        scope_kind,
        scope_value,
        tick,
        sum(visits) over (
            partition by product, scope_kind, scope_value
            order by tick
            range between interval '23' hour preceding and current row
        ) as visits_24h,
        sum(visits) over (
            partition by product, scope_kind, scope_value
            order by tick
            range between interval '71' hour preceding and current row
        ) as visits_72h
    from hourly

),

compared as (

    select
        *,
        avg(case when visits_24h > 0 then visits_24h end) over (
            partition by product, scope_kind, scope_value, extract(hour from tick)
            order by tick
            range between interval '720' hour preceding and interval '72' hour preceding
        ) as baseline_visits_24h
    from windowed

)

select
    product,
    scope_kind,
    scope_value,
    tick,
    visits_24h,
    visits_72h,
    baseline_visits_24h
from compared
where visits_72h > 0

-- Exposure, the chance to complain: visits over the last 24 and 72 hours per product and scope at every tick at
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

    {{ by_scope('visits', ['product', 'tick', 'entered']) }}

),

-- Ticks of the complaints; telemetry has other ones, and may arrive once a day.
counted as (

    select
        product,
        scope_kind,
        scope_value,
        tick
    from {{ ref('int_complaints_trailing') }}
    where issue_type = '(any)'

),

-- Zero visits at the ticks of the complaints, so that the trailing sums exist at these ticks as well.
timeline as (

    select
        product,
        scope_kind,
        scope_value,
        tick,
        entered
    from scoped
    where tick > {{ rebuild_from() }} - {{ hours(var('trailing_hours')) }}

    union all

    select
        product,
        scope_kind,
        scope_value,
        tick,
        0 as entered
    from counted

),

running as (

    {{ trailing_sum(
        'timeline', ['product', 'scope_kind', 'scope_value'], {'visits': 'entered'}, [24, var('trailing_hours')]
    ) }}

),

-- Days with visits, and the days on which complaints are counted.
days as (

    select
        product,
        scope_kind,
        scope_value,
        {{ day_of('tick') }} as day,
        cast(entered as double) as visits
    from scoped

    union all

    select
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
            {{ in_baseline() }}
        ) as visits_per_day
    from daily

)

select
    counted.product,
    counted.scope_kind,
    counted.scope_value,
    counted.tick,
    cast(running.visits_24h as double) as visits_24h,
    cast(running.visits_72h as double) as visits_72h,
    baseline.visits_per_day
from counted
inner join running
    on
        counted.product = running.product
        and counted.scope_kind = running.scope_kind
        and counted.scope_value = running.scope_value
        and counted.tick = running.tick
inner join baseline
    on
        counted.product = baseline.product
        and counted.scope_kind = baseline.scope_kind
        and counted.scope_value = baseline.scope_value
        and {{ day_of('counted.tick') }} = baseline.day
where running.visits_72h > 0

-- Exposure, the chance to complain: visits over the last 24 and 72 hours per product and scope at every tick at
-- which complaints are counted, beside the mean day of the baseline (4 to 31 back). A window whose buckets are not all
-- there, or which holds those of two loads, has no visits: a gap is not half the visitors. Products without funnel
-- telemetry have no rows here.
with visits as (

    select
        product,
        platform,
        country,
        bucket_start,
        cast(entered as bigint) as entered,
        {{ tick_of(counted_at('bucket_start', 'known_at')) }} as tick
    from {{ ref('stg_funnel_metrics') }}
    where step = 'visit'

),

by_row as (

    {{ by_scope('visits', ['product', 'tick', 'bucket_start', 'entered']) }}

),

-- One row for each bucket that became known at a tick.
scoped as (

    select
        product,
        scope_kind,
        scope_value,
        tick,
        bucket_start,
        cast(1 as bigint) as buckets,
        cast(sum(entered) as bigint) as entered
    from by_row
    group by product, scope_kind, scope_value, tick, bucket_start

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
        entered,
        buckets
    from scoped
    where tick > {{ rebuild_from() }} - {{ hours(var('trailing_hours')) }}

    union all

    select
        product,
        scope_kind,
        scope_value,
        tick,
        0 as entered,
        0 as buckets
    from counted

),

running as (

    {{ trailing_sum(
        'timeline', ['product', 'scope_kind', 'scope_value'],
        {'visits': 'entered', 'buckets': 'buckets'}, [24, var('trailing_hours')]
    ) }}

),

-- Days with visits, and the days on which complaints are counted.
days as (

    select
        product,
        scope_kind,
        scope_value,
        {{ day_of('tick') }} as day,
        cast(entered as double) as visits,
        buckets
    from scoped

    union all

    select
        product,
        scope_kind,
        scope_value,
        {{ day_of('tick') }} as day,
        0.0 as visits,
        0 as buckets
    from counted

),

daily as (

    select
        product,
        scope_kind,
        scope_value,
        day,
        sum(visits) as visits,
        cast(sum(buckets) as double) as buckets
    from days
    group by product, scope_kind, scope_value, day

),

baseline as (

    select
        product,
        scope_kind,
        scope_value,
        day,
        avg(case when visits > 0 then visits end) over usual as visits_per_day,
        avg(case when visits > 0 then buckets end) over usual as buckets_per_day
    from daily
    window usual as (
        partition by product, scope_kind, scope_value
        order by day
        {{ in_baseline() }}
    )

),

joined as (

    select
        counted.product,
        counted.scope_kind,
        counted.scope_value,
        counted.tick,
        running.visits_24h,
        running.visits_72h,
        baseline.visits_per_day,
        running.buckets_24h / baseline.buckets_per_day as coverage_24h,
        running.buckets_72h / (3.0 * baseline.buckets_per_day) as coverage_72h
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

)

select
    product,
    scope_kind,
    scope_value,
    tick,
    cast(case when coalesce(coverage_24h, 1.0) between 0.9 and 1.1 then visits_24h end as double) as visits_24h,
    cast(case when coalesce(coverage_72h, 1.0) between 0.9 and 1.1 then visits_72h end as double) as visits_72h,
    visits_per_day
from joined

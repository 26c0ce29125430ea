-- What a normal day looks like for each series at each tick: the 24-hour counts at the same hour on the 28 days from 3 to
-- 30 days back. A day far above its own expectation (a known incident) enters at the edge of the normal range instead of at
-- full height, so that one incident does not hide the next.
with windowed as (

    select * from {{ ref('int_complaints_trailing') }}

),

history as (

    select product, min(tick) as first_tick
    from windowed
    group by product

),

first_pass as (

    select
        windowed.*,
        least(28.0, greatest(0.0, floor(
            ({{ seconds_between('history.first_tick', 'windowed.tick') }} - 172800.0) / 86400.0
        ))) as baseline_days,
        coalesce(sum(cast(windowed.count_24h as double)) over baseline, 0.0) as raw_total,
        coalesce(sum(cast(windowed.count_24h as double) * windowed.count_24h) over baseline, 0.0) as raw_squares
    from windowed
    inner join history on windowed.product = history.product
    window baseline as (
        partition by windowed.product, windowed.issue_type, windowed.scope_kind, windowed.scope_value,
            extract(hour from windowed.tick)
        order by windowed.tick
        range between interval '720' hour preceding and interval '72' hour preceding
    )

),

tamed as (

    select
        *,
        least(
            cast(count_24h as double),
            {{ poisson_rate('raw_total', 'baseline_days') }}
            + 3.0 * sqrt({{ poisson_rate('raw_total', 'baseline_days') }}) + 1.0
        ) as tamed_24h
    from first_pass

)

select
    product,
    issue_type,
    scope_kind,
    scope_value,
    tick,
    count_24h,
    count_72h,
    baseline_days,
    case when baseline_days = 0 then 0.0 else coalesce(sum(tamed_24h) over baseline, 0.0) end as baseline_total,
    case when baseline_days = 0 then 0.0 else coalesce(sum(tamed_24h * tamed_24h) over baseline, 0.0) end as baseline_squares
from tamed
window baseline as (
    partition by product, issue_type, scope_kind, scope_value, extract(hour from tick)
    order by tick
    range between interval '720' hour preceding and interval '72' hour preceding
)

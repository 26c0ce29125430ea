-- What a normal day looks like for each series at each tick: the 24-hour counts at the same hour on the 28 days from 3
-- to 30 days back. A day far above its own expectation (a known incident) enters at the edge of the normal range
-- instead of at full height, so that one incident does not hide the next.
with windowed as (

    select * from {{ ref('int_complaints_trailing') }}

),

history as (

    select
        product,
        min(tick) as first_tick
    from windowed
    group by product

),

-- Only days whose 24 hours lie wholly within the product's history count, as counts and as days.
whole_days as (

    select
        windowed.*,
        case
            when windowed.tick >= history.first_tick + interval '23' hour then cast(windowed.count_24h as double)
        end as whole_24h,
        cast(least(28.0, greatest(0.0, floor(
            ({{ seconds_between('history.first_tick', 'windowed.tick') }} - 71.0 * 3600.0) / 86400.0
        ))) as double) as baseline_days
    from windowed
    inner join history on windowed.product = history.product

),

first_pass as (

    select
        *,
        coalesce(sum(whole_24h) over baseline, 0.0) as raw_total
    from whole_days
    window baseline as (
        partition by product, issue_type, scope_kind, scope_value, extract(hour from tick)
        order by tick
        range between interval '720' hour preceding and interval '72' hour preceding
    )

),

tamed as (

    select
        *,
        case
            when whole_24h is null or baseline_days = 0 then whole_24h
            else least(
                whole_24h,
                {{ poisson_rate('raw_total', 'baseline_days') }}
                + 3.0 * sqrt({{ poisson_rate('raw_total', 'baseline_days') }}) + 1.0
            )
        end as tamed_24h
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
    coalesce(sum(tamed_24h) over baseline, 0.0) as baseline_total,
    coalesce(sum(tamed_24h * tamed_24h) over baseline, 0.0) as baseline_squares
from tamed
window baseline as (
    partition by product, issue_type, scope_kind, scope_value, extract(hour from tick)
    order by tick
    range between interval '720' hour preceding and interval '72' hour preceding
)

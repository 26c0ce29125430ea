-- Baseline of each telemetry measure on each day: its rate over the days 4 to 31 back, and by how much the rate differs
-- from day to day beyond chance.
with daily as (

    select
        product,
        kind,
        measure,
        scope_kind,
        scope_value,
        {{ day_of('tick') }} as day,
        sum(trials) as trials,
        sum(amount) as amount
    from {{ ref('int_telemetry_counts') }}
    group by product, kind, measure, scope_kind, scope_value, {{ day_of('tick') }}

),

-- What was measured on a day is judged on that day and on the next.
days as (

    select
        daily.product,
        daily.kind,
        daily.measure,
        daily.scope_kind,
        daily.scope_value,
        daily.day + numbers.n * {{ days(1) }} as day,
        sum(case when numbers.n = 0 then daily.trials end) as trials,
        sum(case when numbers.n = 0 then daily.amount end) as amount
    from daily
    cross join {{ numbers(0, 1) }}
    group by
        daily.product, daily.kind, daily.measure, daily.scope_kind, daily.scope_value,
        daily.day + numbers.n * {{ days(1) }}

),

sums as (

    select
        product,
        kind,
        measure,
        scope_kind,
        scope_value,
        day,
        cast(count(trials) over baseline as double) as baseline_days,
        coalesce(sum(trials) over baseline, 0.0) as baseline_trials,
        coalesce(sum(amount) over baseline, 0.0) as baseline_amount,
        coalesce(sum(amount * amount / trials) over baseline, 0.0) as baseline_squares
    from days
    window baseline as (
        partition by product, kind, measure, scope_kind, scope_value
        order by day
        {{ in_baseline() }}
    )

),

rates as (

    select
        *,
        -- Half an error, so that a service that never failed has a rate.
        (baseline_amount + case when kind = 'errors' then 0.5 else 0.0 end) / baseline_trials as rate
    from sums
    where baseline_days >= {{ var('telemetry_baseline_days') }} and baseline_trials > 0

)

select
    product,
    kind,
    measure,
    scope_kind,
    scope_value,
    day,
    baseline_days,
    baseline_trials,
    baseline_amount,
    {{ rounded('rate', 9) }} as rate,
    -- Counts: Pearson's dispersion less chance, per expected count (negative binomial). Latency: variance of the days.
    {{ rounded(
        "case when kind = 'latency' then greatest(0.0, baseline_squares / baseline_trials - rate * rate)"
        ~ " when baseline_amount > 0 then greatest(0.0, (baseline_squares / rate - baseline_amount)"
        ~ " / greatest(baseline_days - 1.0, 1.0) - 1.0) * baseline_days / baseline_amount"
        ~ " else 0.0 end", 9
    ) }} as spread
from rates
where day >= {{ day_of(rebuild_from()) }} - {{ days(1) }}

-- Hour of the day: the share of each hour (UTC) in a product's feedback of days 4 to 31 back, as a multiple of 1/24.
-- Shrunk towards 1 (prior: ten pieces an hour), so that thin history has no hours; a day counts for at most twice the
-- mean day, so that one incident makes none.
with hourly as (

    select
        product,
        {{ day_of('tick') }} as day,
        {{ hour_of('tick') }} as hour,
        cast(sum(feedback_count) as double) as feedback_count
    from {{ ref('int_complaints') }}
    where
        issue_type = '(any)'
        and scope_kind = 'all'
        and tick > {{ rebuild_from() }} - {{ days(var('baseline_last_day') + 1) }}
    group by product, {{ day_of('tick') }}, {{ hour_of('tick') }}

),

counted as (

    select
        product,
        day
    from {{ ref('int_baseline') }}
    where issue_type = '(any)' and scope_kind = 'all'

),

past as (

    select
        counted.product,
        counted.day,
        hourly.hour,
        hourly.feedback_count,
        sum(hourly.feedback_count) over (partition by counted.product, counted.day, hourly.day) as day_total,
        sum(hourly.feedback_count) over (partition by counted.product, counted.day)
        / {{ baseline_days() }}.0 as day_mean
    from counted
    inner join hourly
        on
            counted.product = hourly.product
            and counted.day - {{ days(var('baseline_last_day')) }} <= hourly.day
            and counted.day - {{ days(var('baseline_first_day')) }} >= hourly.day

),

sums as (

    select
        product,
        day,
        hour,
        sum(feedback_count * least(1.0, 2.0 * day_mean / day_total)) as total
    from past
    group by product, day, hour

),

hours as (

    select
        counted.product,
        counted.day,
        numbers.n as hour,
        coalesce(sums.total, 0.0) as total
    from counted
    cross join {{ numbers(0, 23) }}
    left join sums
        on counted.product = sums.product and counted.day = sums.day and numbers.n = sums.hour

),

factors as (

    select
        product,
        day,
        hour,
        24.0 * (total + 10.0) / (sum(total) over (partition by product, day) + 240.0) as factor
    from hours

)

select
    product,
    day,
    hour,
    {{ rounded('factor') }} as factor,
    {{ rounded(
        'coalesce(sum(factor) over (partition by product, day order by hour'
        ~ ' rows between unbounded preceding and 1 preceding), 0.0) / 24.0'
    ) }} as share_before
from factors

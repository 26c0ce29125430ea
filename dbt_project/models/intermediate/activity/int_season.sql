-- Weekly season, for products without funnel data: the share of each weekday in the feedback of days 4 to 31 back, as a
-- multiple of 1/7. Shrunk towards 1 (prior: ten pieces of feedback a day), so that thin history has no season; days are
-- winsorized at twice the mean, so that one incident makes none.
with daily as (

    select
        product,
        scope_kind,
        scope_value,
        {{ day_of('tick') }} as day,
        cast(sum(feedback_count) as double) as feedback_count
    from {{ ref('int_complaints') }}
    where issue_type = '(any)' and tick > {{ rebuild_from() }} - {{ days(var('baseline_last_day') + 1) }}
    group by product, scope_kind, scope_value, {{ day_of('tick') }}

),

counted as (

    select distinct
        product,
        scope_kind,
        scope_value,
        day
    from {{ ref('int_baseline') }}
    where baseline_days >= {{ baseline_days() }}

),

-- Days of the baseline with their weekday, counted back from the judged day; 7, 14, 21 and 28 back are its own.
past as (

    select
        counted.product,
        counted.scope_kind,
        counted.scope_value,
        counted.day,
        daily.feedback_count,
        cast(round({{ seconds_between('daily.day', 'counted.day') }} / 86400.0) as int) % 7 as weekday_back
    from counted
    inner join daily
        on
            counted.product = daily.product
            and counted.scope_kind = daily.scope_kind
            and counted.scope_value = daily.scope_value
            and daily.day >= counted.day - {{ days(var('baseline_last_day')) }}
            and daily.day <= counted.day - {{ days(var('baseline_first_day')) }}

),

winsorized as (

    select
        *,
        least(
            feedback_count,
            2.0 * sum(feedback_count) over (partition by product, scope_kind, scope_value, day)
            / {{ baseline_days() }}.0
        ) as winsorized_count
    from past

),

sums as (

    select
        product,
        scope_kind,
        scope_value,
        day,
        sum(winsorized_count) as total,
        sum(case when weekday_back = 0 then winsorized_count else 0.0 end) as total_0,
        sum(case when weekday_back = 1 then winsorized_count else 0.0 end) as total_1,
        sum(case when weekday_back = 2 then winsorized_count else 0.0 end) as total_2,
        sum(case when weekday_back = 3 then winsorized_count else 0.0 end) as total_3
    from winsorized
    group by product, scope_kind, scope_value, day

)

select
    product,
    scope_kind,
    scope_value,
    day,
    7.0 * (total_0 + 10.0) / (total + 70.0) as factor_0,
    7.0 * (total_1 + 10.0) / (total + 70.0) as factor_1,
    7.0 * (total_2 + 10.0) / (total + 70.0) as factor_2,
    7.0 * (total_3 + 10.0) / (total + 70.0) as factor_3
from sums

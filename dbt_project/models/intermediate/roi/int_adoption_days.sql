-- Counts and exposure of what adoption is to change, per product, measure and day.
with counts as (

    select
        product,
        'complaints_per_1000_visits' as measure,
        {{ day_of('hour') }} as day,
        case when measure = 'complaints' then amount else 0.0 end as amount,
        case when measure = 'visits' then exposure / 1000.0 else 0.0 end as exposure
    from {{ ref('int_outcome_hours') }}
    where scope_kind = 'all' and measure in ('complaints', 'visits')

    union all

    select
        product,
        'refund_rate' as measure,
        {{ day_of('hour') }} as day,
        amount,
        exposure
    from {{ ref('int_outcome_hours') }}
    where scope_kind = 'all' and measure = 'refunds'

    union all

    select
        product,
        'conversion' as measure,
        {{ day_of('hour') }} as day,
        case when measure = 'refunds' then exposure else 0.0 end as amount,
        case when measure = 'visits' then exposure else 0.0 end as exposure
    from {{ ref('int_outcome_hours') }}
    where scope_kind = 'all' and measure in ('refunds', 'visits')

    union all

    select
        product,
        'negative_review_share' as measure,
        {{ day_of('counted_at') }} as day,
        case when rating <= 2 then 1.0 else 0.0 end as amount,
        1.0 as exposure
    from {{ ref('int_feedback') }}
    where channel in ('app_review', 'product_review') and rating is not null

)

select
    product,
    measure,
    day,
    {{ exact_sum('amount') }} as amount,
    {{ exact_sum('exposure') }} as exposure
from counts
where day < date_trunc('day', {{ as_of() }})
group by product, measure, day

select
    product,
    step,
    platform,
    country,
    day,
    cast(sum(entered) as bigint) as entered,
    cast(sum(completed) as bigint) as completed,
    case
        when sum(entered) > 0 then {{ rounded('cast(sum(completed) as double) / sum(entered)') }}
    end as conversion,
    cast(sum(cast(revenue as decimal(24, 6))) as double) as revenue
from {{ ref('int_funnel_days') }}
group by product, step, platform, country, day

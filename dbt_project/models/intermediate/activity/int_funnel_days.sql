{{ config(materialized='incremental', meta={'rebuilt_by': 'day'}, pre_hook="{{ forget_days(rebuild_from()) }}") }}

-- The funnel by day: customers who entered and completed each step of the journey, and the revenue of those who did.
select
    product,
    step,
    platform,
    country,
    app_version,
    date_trunc('day', bucket_start) as day,
    cast(sum(entered) as bigint) as entered,
    cast(sum(completed) as bigint) as completed,
    cast(sum(cast(revenue as decimal(24, 6))) as double) as revenue
from {{ ref('stg_funnel_metrics') }}
where date_trunc('day', bucket_start) >= date_trunc('day', {{ rebuild_from() }})
group by product, step, platform, country, app_version, date_trunc('day', bucket_start)

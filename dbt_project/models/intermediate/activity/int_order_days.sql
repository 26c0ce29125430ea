{{ config(
    materialized='incremental', meta={'rebuilt_by': 'day'}, pre_hook="{{ forget_days(settled_until()) }}"
) }}

-- Orders and refunds by day. A day is settled some weeks later (`order_settled_days`): what becomes known of an order
-- or a refund after that changes it no more, but history that is loaded late counts as it first came. (An order whose
-- first trace is a late refund is no history: it counts as a refund only.)
with versions as (

    select
        product,
        order_id,
        sku,
        currency,
        version,
        amount,
        refund_amount,
        ordered_at,
        refunded_at,
        known_at,
        lead(known_at) over (partition by order_id, sku order by version) as next_known_at
    from {{ ref('stg_orders') }}

),

ordered as (

    select
        product,
        currency,
        date_trunc('day', ordered_at) as day,
        order_id,
        amount
    from versions
    where
        date_trunc('day', ordered_at) >= {{ settled_until() }}
        and (
            known_at <= ordered_at + {{ days(var('order_settled_days')) }}
            or (version = 1 and not coalesce(known_at <= refunded_at + {{ days(var('backfill_days')) }}, false))
        )
        and coalesce(next_known_at > ordered_at + {{ days(var('order_settled_days')) }}, true)

),

ordered_days as (

    select
        product,
        currency,
        day,
        count(distinct order_id) as orders,
        sum(cast(amount as decimal(24, 6))) as revenue,
        0 as refunds,
        cast(0 as decimal(24, 6)) as refunded
    from ordered
    group by product, currency, day

),

refunded_days as (

    select
        product,
        currency,
        date_trunc('day', refunded_at) as day,
        0 as orders,
        cast(0 as decimal(24, 6)) as revenue,
        count(distinct order_id) as refunds,
        sum(cast(refund_amount as decimal(24, 6))) as refunded
    from versions
    where
        date_trunc('day', refunded_at) >= {{ settled_until() }}
        and coalesce(next_known_at > greatest(known_at, refunded_at) + {{ days(var('order_settled_days')) }}, true)
    group by product, currency, date_trunc('day', refunded_at)

),

parts as (

    select * from ordered_days
    union all
    select * from refunded_days

)

select
    product,
    currency,
    day,
    cast(sum(orders) as bigint) as orders,
    cast(sum(revenue) as double) as revenue,
    cast(sum(refunds) as bigint) as refunds,
    cast(sum(coalesce(refunded, 0)) as double) as refunded
from parts
group by product, currency, day

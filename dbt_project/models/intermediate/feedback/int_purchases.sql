{{ config(materialized='incremental', meta={'rebuilt_by': 'known_at'}, pre_hook="{{ forget_since('known_at') }}") }}

-- Orders with the customer who placed them (null for a guest), since when this system knows them. A later version of an
-- order (a refund) changes neither.
with versions as (

    select
        order_id,
        customer_id,
        known_at,
        row_number() over (
            partition by order_id
            order by known_at asc, version asc, customer_id is null asc, sku asc
        ) as version_rank
    from {{ ref('stg_orders') }}
    where known_at > {{ rebuild_from() }}

)

select
    order_id,
    customer_id,
    known_at
from versions
where version_rank = 1 and {{ is_new('order_id') }}

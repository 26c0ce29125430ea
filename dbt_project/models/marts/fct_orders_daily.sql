select
    product,
    currency,
    day,
    orders,
    revenue,
    case when orders > 0 then {{ rounded('revenue / orders', 2) }} end as average_order_value,
    refunds,
    refunded
from {{ ref('int_order_days') }}

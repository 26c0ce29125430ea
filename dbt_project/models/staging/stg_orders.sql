-- Versions of each order line, numbered from the oldest on; a refund arrives as a newer one.
with source as (

    select * from {{ source('lake', 'orders') }}
    where cast(known_at as timestamp) <= {{ as_of() }}

),

renamed as (

    select
        order_id,
        {{ pseudonym(told_apart('customer_id')) }} as customer_id,
        product,
        sku,
        currency,
        status,
        amount,
        refund_amount,
        row_number() over (partition by order_id, sku order by known_at asc, content_hash desc) as version,
        cast(ordered_at as timestamp) as ordered_at,
        cast(refunded_at as timestamp) as refunded_at,
        cast(known_at as timestamp) as known_at
    from source

)

select * from renamed

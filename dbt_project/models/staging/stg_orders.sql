-- Order lines as last reported: a refund arrives as a newer version of the line.
with source as (

    select * from {{ source('lake', 'orders') }}
    where cast(known_at as timestamp) <= {{ as_of() }}

),

versions as (

    select
        *,
        row_number() over (partition by order_id, sku order by known_at desc, content_hash asc) as version_rank
    from source

),

renamed as (

    select
        order_id,
        customer_id,
        product,
        sku,
        currency,
        status,
        amount,
        refund_amount,
        cast(ordered_at as timestamp) as ordered_at,
        cast(refunded_at as timestamp) as refunded_at,
        cast(known_at as timestamp) as known_at
    from versions
    where version_rank = 1

)

select * from renamed

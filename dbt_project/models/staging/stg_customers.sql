-- Versions of each customer's record, numbered from the oldest on.
with source as (

    select
        segment,
        lifetime_value,
        content_hash,
        known_at,
        {{ pseudonym('trim(customer_id)') }} as customer_id
    from {{ source('lake', 'customers') }}
    where cast(known_at as timestamp) <= {{ as_of() }}

),

renamed as (

    select
        customer_id,
        segment,
        lifetime_value,
        row_number() over (partition by customer_id order by known_at asc, content_hash desc) as version,
        cast(known_at as timestamp) as known_at
    from source

)

select * from renamed

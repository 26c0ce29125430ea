-- Each customer as last known.
with source as (

    select * from {{ source('lake', 'customers') }}
    where cast(known_at as timestamp) <= {{ as_of() }}

),

versions as (

    select
        *,
        row_number() over (partition by customer_id order by known_at desc, content_hash asc) as version_rank
    from source

),

renamed as (

    select
        customer_id,
        segment,
        lifetime_value,
        cast(known_at as timestamp) as known_at
    from versions
    where version_rank = 1

)

select * from renamed

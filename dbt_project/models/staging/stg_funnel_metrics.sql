-- Customers who entered and completed each step of the journey, per bucket; a re-sent bucket replaces the older one.
with source as (

    select * from {{ source('lake', 'funnel_metrics') }}
    where cast(known_at as timestamp) <= {{ as_of() }}

),

versions as (

    select
        *,
        row_number() over (
            partition by product, bucket_start, step, platform, country, app_version
            order by known_at desc, content_hash asc
        ) as version_rank
    from source

),

renamed as (

    select
        product,
        step,
        platform,
        country,
        app_version,
        -- Set by the source (`constants: {provenance: client}`): counts that a browser or an app reports about itself.
        coalesce(provenance, 'server') as provenance,
        entered,
        completed,
        revenue,
        cast(bucket_start as timestamp) as bucket_start,
        cast(known_at as timestamp) as known_at
    from versions
    where version_rank = 1

)

select * from renamed

-- Each campaign as last announced.
with source as (

    select * from {{ source('lake', 'campaigns') }}
    where cast(known_at as timestamp) <= {{ as_of() }}

),

versions as (

    select
        *,
        row_number() over (partition by campaign_id order by known_at desc, content_hash asc) as version_rank
    from source

),

renamed as (

    select
        campaign_id,
        product,
        kind,
        name,
        cast(started_at as timestamp) as started_at,
        cast(ended_at as timestamp) as ended_at,
        cast(known_at as timestamp) as known_at
    from versions
    where version_rank = 1

)

select * from renamed

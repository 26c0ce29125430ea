-- Each release as last announced by the as-of instant.
with source as (

    select * from {{ source('lake', 'releases') }}
    where cast(known_at as timestamp) <= {{ as_of() }}

),

versions as (

    select
        *,
        row_number() over (partition by release_id order by known_at desc, content_hash asc) as version_rank
    from source

),

renamed as (

    select
        release_id,
        product,
        version,
        environment,
        service,
        platform,
        previous_version,
        owner,
        commit_sha,
        url,
        rollback_floor,
        schema_revision,
        rollout_percent,
        cast(deployed_at as timestamp) as deployed_at,
        cast(known_at as timestamp) as known_at
    from versions
    where version_rank = 1

)

select * from renamed

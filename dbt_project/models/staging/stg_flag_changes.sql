-- Each change of a feature flag, as last reported.
with source as (

    select * from {{ source('lake', 'flag_changes') }}
    where cast(known_at as timestamp) <= {{ as_of() }}

),

versions as (

    select
        *,
        row_number() over (
            partition by flag_key, product, environment, changed_at
            order by known_at desc, content_hash asc
        ) as version_rank
    from source

),

renamed as (

    select
        flag_key,
        product,
        environment,
        variant,
        actor,
        feature,
        enabled,
        cast(changed_at as timestamp) as changed_at,
        cast(known_at as timestamp) as known_at
    from versions
    where version_rank = 1

)

select * from renamed

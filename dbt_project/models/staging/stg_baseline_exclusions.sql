-- Days excluded from baselines because a person rejected their issue, with the period for which the rejection holds.
with source as (

    select * from {{ source('lake', 'baseline_exclusions') }}
    where cast(known_at as timestamp) <= {{ as_of() }}

),

renamed as (

    select
        issue_id,
        product,
        issue_type,
        platform,
        country,
        excluded,
        date_trunc('day', cast(excluded_from as timestamp)) as first_day,
        date_trunc('day', cast(excluded_until as timestamp)) as last_day,
        cast(known_at as timestamp) as known_at,
        lead(cast(known_at as timestamp)) over (
            partition by issue_id
            order by known_at
        ) as replaced_at
    from source

)

select
    issue_id,
    product,
    issue_type,
    platform,
    country,
    first_day,
    last_day,
    known_at,
    replaced_at
from renamed
where excluded

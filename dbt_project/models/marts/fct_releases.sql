with issues as (

    select
        suspect_release_id,
        count(*) as issues_blamed
    from {{ ref('fct_issues') }}
    where suspect_release_id is not null
    group by suspect_release_id

)

select
    releases.release_id,
    releases.product,
    releases.version,
    releases.environment,
    releases.platform,
    releases.service,
    releases.previous_version,
    releases.owner,
    releases.url,
    cast(releases.rollout_percent as double) as rollout_percent,
    cast(coalesce(issues.issues_blamed, 0) as bigint) as issues_blamed,
    {{ is_production('releases.environment') }} as is_production,
    releases.deployed_at,
    lead(releases.deployed_at) over (
        partition by
            releases.product, lower(releases.environment), coalesce(lower(releases.platform), ''),
            coalesce(lower(releases.service), '')
        order by releases.deployed_at, releases.release_id
    ) as followed_at
from {{ ref('stg_releases') }} as releases
left join issues on releases.release_id = issues.suspect_release_id

-- Suspect of each issue in people's terms: platform, service, link, rollout, flag, version to go back to.
with evidence as (

    select
        issue_id,
        product,
        suspect_release_id,
        candidate_kind
    from {{ ref('int_issue_evidence') }}
    where suspect_release_id is not null

),

-- Previous version: the one named in the release, else the one released before it to the same platform and service.
releases as (

    select
        release_id,
        url,
        service,
        rollout_percent,
        rollback_floor,
        coalesce(
            previous_version,
            lag(version) over (
                partition by product, lower(environment), coalesce(platform, ''), coalesce(service, '')
                order by deployed_at, release_id
            )
        ) as previous_version
    from {{ ref('stg_releases') }}

),

flags as (

    select
        product,
        flag_key,
        enabled,
        {{ flag_change_id('flag_key', 'changed_at') }} as change_id,
        row_number() over (
            partition by product, {{ flag_change_id('flag_key', 'changed_at') }}
            order by changed_at desc, environment asc
        ) as last_first
    from {{ ref('stg_flag_changes') }}
    where {{ is_production('environment') }}

)

select
    evidence.issue_id,
    evidence.candidate_kind as suspect_kind,
    {{ platform_title('candidates.platform') }} as suspect_platform,
    lower(candidates.platform) as suspect_platform_id,
    releases.service as suspect_service,
    releases.previous_version as suspect_previous_version,
    releases.rollback_floor as suspect_rollback_floor,
    releases.url as suspect_url,
    flags.flag_key as suspect_flag,
    flags.enabled as suspect_flag_enabled,
    cast(releases.rollout_percent as double) as suspect_rollout_percent,
    candidates.changed_at as suspect_changed_at
from evidence
left join {{ ref('int_release_candidates') }} as candidates
    on evidence.issue_id = candidates.issue_id and evidence.suspect_release_id = candidates.change_id
left join releases on evidence.suspect_release_id = releases.release_id
left join flags
    on evidence.product = flags.product and evidence.suspect_release_id = flags.change_id and flags.last_first = 1

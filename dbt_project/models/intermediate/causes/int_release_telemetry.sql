-- Service metrics around each candidate, by service and day: before it, after it on its own platform and version, and
-- after it beside it (the controls: other platforms and versions; siblings are the other versions of its platform).
-- `other_...` are the requests of all other services in the same place and time: how many requests a service would have
-- by the traffic alone, among metrics that are split alike (a new version has few requests wherever they are counted by
-- version). Only metrics that tell the change apart are read: by its version, or by its platform. A change that none
-- tells apart is judged by its instant (int_release_shifts). The app's own telemetry (what crashes touch, in the seed
-- service_map) counts for every issue type: an app serves every step.
with versions as (

    select distinct
        product,
        lower(service) as service,
        app_version
    from {{ ref('stg_service_metrics') }}

),

touched as (

    select distinct
        taxonomy.issue_type,
        services.service
    from {{ ref('int_touched_services') }} as services
    inner join {{ ref('taxonomy') }} as taxonomy
        on services.issue_type = taxonomy.issue_type or services.issue_type = 'app_crash'

),

with_versions as (

    select distinct
        candidates.issue_id,
        candidates.change_id
    from {{ ref('int_release_candidates') }} as candidates
    inner join versions
        on
            candidates.product = versions.product
            and candidates.version = versions.app_version
            and (candidates.platform is not null or coalesce(lower(candidates.service) = versions.service, true))

),

candidates as (

    select
        candidates.*,
        candidates.platform is null and candidates.service is not null as is_of_service,
        with_versions.change_id is not null as has_versions
    from {{ ref('int_release_candidates') }} as candidates
    left join with_versions
        on candidates.issue_id = with_versions.issue_id and candidates.change_id = with_versions.change_id
    where candidates.platform is not null or with_versions.change_id is not null

),

compared as (

    select
        candidates.issue_id,
        candidates.change_id,
        lower(metrics.service) as service,
        date_trunc('day', metrics.bucket_start) as day,
        metrics.bucket_start >= candidates.changed_at as is_after,
        coalesce(candidates.platform = metrics.platform, true) as is_on_platform,
        coalesce(candidates.platform = metrics.platform, true)
        and (not candidates.has_versions or coalesce(metrics.app_version = candidates.version, true)) as is_its_own,
        metrics.app_version is not null as is_by_version,
        touched.service is not null
        and (not candidates.is_of_service or lower(candidates.service) = lower(metrics.service)) as is_touched,
        metrics.provenance,
        cast(metrics.requests as double) as requests,
        cast(metrics.errors as double) as errors
    from candidates
    inner join {{ ref('stg_service_metrics') }} as metrics
        on
            candidates.product = metrics.product
            and candidates.changed_at - {{ days(var('evidence_days')) }} < metrics.bucket_start
            and candidates.ended_at > metrics.bucket_start
            and (
                (candidates.has_versions and metrics.app_version is not null)
                or (candidates.platform is not null and metrics.platform is not null)
            )
    left join touched on candidates.issue_type = touched.issue_type and touched.service = lower(metrics.service)

),

daily as (

    select
        issue_id,
        change_id,
        service,
        day,
        is_by_version,
        is_touched,
        -- As text client < server: what any client reports is no firmer than a client.
        min(provenance) as provenance,
        coalesce(sum(requests) filter (where is_after and is_its_own), 0.0) as requests_after,
        coalesce(sum(errors) filter (where is_after and is_its_own), 0.0) as errors_after,
        coalesce(sum(requests) filter (where not is_after and is_on_platform), 0.0) as requests_before,
        coalesce(sum(errors) filter (where not is_after and is_on_platform), 0.0) as errors_before,
        count(*) filter (where not is_after and is_on_platform and requests > 0) as buckets_before,
        coalesce(
            sum(errors * errors / requests) filter (where not is_after and is_on_platform and requests > 0), 0.0
        ) as error_squares_before,
        coalesce(sum(requests) filter (where is_after and not is_its_own), 0.0) as requests_beside,
        coalesce(sum(errors) filter (where is_after and not is_its_own), 0.0) as errors_beside,
        coalesce(sum(requests) filter (where is_after and not is_its_own and is_on_platform), 0.0) as requests_sibling,
        coalesce(sum(errors) filter (where is_after and not is_its_own and is_on_platform), 0.0) as errors_sibling,
        coalesce(sum(requests) filter (where not is_after), 0.0) as requests_anywhere_before,
        coalesce(sum(errors) filter (where not is_after), 0.0) as errors_anywhere_before
    from compared
    group by issue_id, change_id, service, day, is_by_version, is_touched

)

select
    *,
{%- for place in ['after', 'before', 'beside', 'sibling', 'anywhere_before'] %}
    sum(requests_{{ place }}) over (partition by issue_id, change_id, is_by_version, day)
    - requests_{{ place }} as other_{{ place }}
    {{- ',' if not loop.last }}
{%- endfor %}
from daily

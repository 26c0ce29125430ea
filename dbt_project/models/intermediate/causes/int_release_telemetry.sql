-- Service metrics around each candidate, by service and day: before it, after it on its own platform and version, and
-- after it beside it (the controls: other platforms and versions; siblings are the other versions of its platform).
-- `other_...` are the requests of all other services in the same place and time: how many requests a service would have
-- by the traffic alone. A change that telemetry cannot tell apart (a flag; a release without a platform, of which no
-- request names the version) acts at once or not at all: only the six hours after it count, only the service that it
-- names, and its controls are the other services.
with versions as (

    select distinct
        product,
        app_version
    from {{ ref('stg_service_metrics') }}

),

touched as (

    select distinct
        service_map.issue_type,
        metrics.service
    from {{ ref('stg_service_metrics') }} as metrics
    inner join {{ ref('service_map') }} as service_map on lower(metrics.service) like service_map.service_pattern

),

candidates as (

    select
        candidates.*,
        candidates.version is null or (candidates.platform is null and versions.app_version is null) as is_at_once
    from {{ ref('int_release_candidates') }} as candidates
    left join versions
        on candidates.product = versions.product and candidates.version = versions.app_version

),

compared as (

    select
        candidates.issue_id,
        candidates.change_id,
        candidates.is_at_once,
        lower(metrics.service) as service,
        date_trunc('day', metrics.bucket_start) as day,
        metrics.bucket_start >= candidates.changed_at as is_after,
        coalesce(candidates.platform = metrics.platform, true) as is_on_platform,
        coalesce(candidates.platform = metrics.platform, true)
        and (candidates.is_at_once or coalesce(metrics.app_version = candidates.version, true)) as is_its_own,
        touched.service is not null
        and (
            not candidates.is_at_once or coalesce(lower(candidates.service) = lower(metrics.service), true)
        ) as is_touched,
        metrics.provenance,
        cast(metrics.requests as double) as requests,
        cast(metrics.errors as double) as errors
    from candidates
    inner join {{ ref('stg_service_metrics') }} as metrics
        on
            candidates.product = metrics.product
            and candidates.changed_at - {{ days(var('evidence_days')) }} < metrics.bucket_start
            and candidates.ended_at > metrics.bucket_start
            and (not candidates.is_at_once or candidates.changed_at + {{ hours(6) }} > metrics.bucket_start)
    left join touched on candidates.issue_type = touched.issue_type and metrics.service = touched.service

),

daily as (

    select
        issue_id,
        change_id,
        service,
        day,
        is_touched,
        is_at_once,
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
    group by issue_id, change_id, service, day, is_touched, is_at_once

)

select
    *,
{%- for place in ['after', 'before', 'beside', 'sibling', 'anywhere_before'] %}
    sum(requests_{{ place }}) over (partition by issue_id, change_id, day) - requests_{{ place }} as other_{{ place }}
    {{- ',' if not loop.last }}
{%- endfor %}
from daily

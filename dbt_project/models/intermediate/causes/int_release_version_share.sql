-- Share of each candidate in the requests of its product, by day since it went out: of its platform among all, and of
-- its version on its platform. So many of those who speak would name it if it were innocent.
with requests as (

    select
        candidates.issue_id,
        candidates.change_id,
        date_trunc('day', metrics.bucket_start) as day,
        coalesce(candidates.platform = metrics.platform, candidates.platform is null) as is_on_platform,
        metrics.app_version = candidates.version as is_its_version,
        cast(metrics.requests as double) as requests
    from {{ ref('int_release_candidates') }} as candidates
    inner join {{ ref('stg_service_metrics') }} as metrics
        on
            candidates.product = metrics.product
            and candidates.changed_at <= metrics.bucket_start
            and candidates.ended_at >= metrics.bucket_start
    where candidates.version is not null and metrics.app_version is not null

)

select
    issue_id,
    change_id,
    day,
    -- Half a request added, so that a share is never nothing.
    (coalesce(sum(requests) filter (where is_on_platform), 0.0) + 0.5) / (sum(requests) + 0.5) as share_of_platform,
    (coalesce(sum(requests) filter (where is_on_platform and is_its_version), 0.0) + 0.5)
    / (coalesce(sum(requests) filter (where is_on_platform), 0.0) + 0.5) as share_of_version
from requests
group by issue_id, change_id, day

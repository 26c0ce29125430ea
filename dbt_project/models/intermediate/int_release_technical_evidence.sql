-- What telemetry says of each candidate: the error rate of the services the issue touches, on the candidate's platform
-- and version where the telemetry carries them, after it went out against the 28 days before.
with rows_around as (

    select
        candidates.issue_id,
        candidates.change_id,
        metrics.bucket_start >= candidates.changed_at
        and coalesce(metrics.app_version = candidates.version, true) as is_after,
        metrics.bucket_start < candidates.changed_at as is_before,
        cast(metrics.requests as double) as requests,
        cast(metrics.errors as double) as errors
    from {{ ref('int_release_candidates') }} as candidates
    inner join {{ ref('stg_service_metrics') }} as metrics
        on
            candidates.product = metrics.product
            and candidates.changed_at - interval '672' hour < metrics.bucket_start
            and candidates.ended_at > metrics.bucket_start
            and coalesce(candidates.platform = metrics.platform, true)
    where exists (
        select 1
        from {{ ref('service_map') }} as service_map
        where service_map.issue_type = candidates.issue_type and lower(metrics.service) like service_map.service_pattern
    )

),

sums as (

    select
        issue_id,
        change_id,
        sum(requests) filter (where is_after) as requests_after,
        sum(errors) filter (where is_after) as errors_after,
        sum(requests) filter (where is_before) as requests_before,
        sum(errors) filter (where is_before) as errors_before
    from rows_around
    group by issue_id, change_id

)

select
    issue_id,
    change_id,
    errors_after,
    (errors_after + 0.5) / (requests_after + 1.0) as error_rate_after,
    (errors_before + 0.5) / (requests_before + 1.0) as error_rate_before
from sums
where requests_after > 0 and requests_before > 0

-- Technical evidence per issue: error rate and latency of the services that its type touches (seed service_map), inside
-- its platform if it has one, since the onset against the 28 days before. No rows where there is no telemetry.
with metrics as (

    select
        issues.issue_id,
        metrics.bucket_start >= issues.started_at as is_during,
        cast(metrics.requests as double) as requests,
        cast(metrics.errors as double) as errors,
        cast(case when metrics.latency_p95_ms is not null then metrics.requests end as double) as timed_requests,
        cast(metrics.latency_p95_ms as double) as latency_p95_ms
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('int_issue_scope') }} as scope on issues.issue_id = scope.issue_id
    inner join {{ ref('stg_service_metrics') }} as metrics
        on
            issues.product = metrics.product
            and issues.started_at - {{ days(var('evidence_days')) }} < metrics.bucket_start
            and issues.ended_at > metrics.bucket_start
            and coalesce(scope.scope_platform = metrics.platform, true)
    inner join {{ ref('int_touched_services') }} as touched
        on issues.issue_type = touched.issue_type and touched.service = lower(metrics.service)

),

sums as (

    select
        issue_id,
        coalesce(sum(requests) filter (where is_during), 0.0) as requests_during,
        coalesce(sum(errors) filter (where is_during), 0.0) as errors_during,
        coalesce(sum(requests) filter (where not is_during), 0.0) as requests_before,
        coalesce(sum(errors) filter (where not is_during), 0.0) as errors_before,
        -- Percentiles cannot be added; their mean, weighted by requests, is enough to see a rise.
        sum(latency_p95_ms * timed_requests) filter (where is_during)
        / nullif(sum(timed_requests) filter (where is_during), 0.0) as latency_during,
        sum(latency_p95_ms * timed_requests) filter (where not is_during)
        / nullif(sum(timed_requests) filter (where not is_during), 0.0) as latency_before
    from metrics
    group by issue_id

)

select
    issue_id,
    requests_during,
    errors_during,
    (errors_during + 0.5) / (requests_during + 1.0) as error_rate_during,
    (errors_before + 0.5) / (requests_before + 1.0) as error_rate_before,
    ((errors_during + 0.5) / (requests_during + 1.0)) / ((errors_before + 0.5) / (requests_before + 1.0))
        as error_ratio,
    latency_during,
    latency_before,
    latency_during / nullif(latency_before, 0.0) as latency_ratio
from sums
where requests_during > 0 and requests_before > 0

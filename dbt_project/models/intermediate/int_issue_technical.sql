-- Technical evidence per issue: the error rate of the services that its type touches (seed service_map), inside its
-- platform if it has one, since the onset against the 28 days before. No rows where there is no telemetry.
with metrics as (

    select
        issues.issue_id,
        metrics.bucket_start >= issues.started_at as is_during,
        cast(metrics.requests as double) as requests,
        cast(metrics.errors as double) as errors
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('int_issue_scope') }} as places on issues.issue_id = places.issue_id
    inner join {{ ref('stg_service_metrics') }} as metrics
        on
            issues.product = metrics.product
            and issues.started_at - interval '672' hour < metrics.bucket_start
            and issues.ended_at > metrics.bucket_start
            and coalesce(places.scope_platform = metrics.platform, true)
    where exists (
        select 1
        from {{ ref('service_map') }} as service_map
        where service_map.issue_type = issues.issue_type and lower(metrics.service) like service_map.service_pattern
    )

),

sums as (

    select
        issue_id,
        coalesce(sum(requests) filter (where is_during), 0.0) as requests_during,
        coalesce(sum(errors) filter (where is_during), 0.0) as errors_during,
        coalesce(sum(requests) filter (where not is_during), 0.0) as requests_before,
        coalesce(sum(errors) filter (where not is_during), 0.0) as errors_before
    from metrics
    group by issue_id

)

select
    issue_id,
    requests_during,
    errors_during,
    (errors_during + 0.5) / (requests_during + 1.0) as error_rate_during,
    (errors_before + 0.5) / (requests_before + 1.0) as error_rate_before,
    ((errors_during + 0.5) / (requests_during + 1.0)) / ((errors_before + 0.5) / (requests_before + 1.0)) as error_ratio
from sums
where requests_during > 0 and requests_before > 0

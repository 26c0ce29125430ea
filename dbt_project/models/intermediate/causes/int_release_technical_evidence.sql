-- Telemetry as evidence on each candidate: the error rate of the services that the issue touches, on the candidate's
-- platform and version where telemetry has them, after the change against the 28 days before; and, as a control, on all
-- other platforms and versions at the same time. A change without a version acts at once and everywhere, so only the
-- six hours after it count: a later rise has another cause.
with compared_metrics as (

    select
        candidates.issue_id,
        candidates.change_id,
        metrics.bucket_start >= candidates.changed_at as is_after,
        coalesce(candidates.platform = metrics.platform, true) as is_on_platform,
        coalesce(candidates.platform = metrics.platform, true)
        and coalesce(metrics.app_version = candidates.version, true) as is_its_own,
        cast(metrics.requests as double) as requests,
        cast(metrics.errors as double) as errors
    from {{ ref('int_release_candidates') }} as candidates
    inner join {{ ref('stg_service_metrics') }} as metrics
        on
            candidates.product = metrics.product
            and candidates.changed_at - {{ days(var('evidence_days')) }} < metrics.bucket_start
            and candidates.ended_at > metrics.bucket_start
            and (candidates.version is not null or candidates.changed_at + {{ hours(6) }} > metrics.bucket_start)
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
        sum(requests) filter (where is_after and is_its_own) as requests_after,
        sum(errors) filter (where is_after and is_its_own) as errors_after,
        sum(requests) filter (where not is_after and is_on_platform) as requests_before,
        sum(errors) filter (where not is_after and is_on_platform) as errors_before,
        count(*) filter (where not is_after and is_on_platform and requests > 0) as buckets_before,
        sum(errors * errors / requests) filter (where not is_after and is_on_platform and requests > 0)
            as error_squares_before,
        coalesce(sum(requests) filter (where is_after and not is_its_own), 0.0) as requests_beside,
        coalesce(sum(errors) filter (where is_after and not is_its_own), 0.0) as errors_beside,
        coalesce(sum(requests) filter (where not is_after), 0.0) as requests_anywhere_before,
        coalesce(sum(errors) filter (where not is_after), 0.0) as errors_anywhere_before
    from compared_metrics
    group by issue_id, change_id

),

rates as (

    select
        *,
        (errors_after + 0.5) / (requests_after + 1.0) as error_rate_after,
        (errors_before + 0.5) / (requests_before + 1.0) as error_rate_before,
        case
            when requests_beside > 0
                then {{ rounded(
                    '((errors_beside + 0.5) / (requests_beside + 1.0))'
                    ~ ' / ((errors_anywhere_before + 0.5) / (requests_anywhere_before + 1.0))'
                ) }}
            else 1.0
        end as error_ratio_elsewhere
    from sums
    where requests_after > 0 and requests_before > 0

),

spread as (

    select
        *,
        -- Pearson's estimate over the buckets before (McCullagh & Nelder 1989, 6.2): errors come in bursts.
        greatest(1.0, (error_squares_before / error_rate_before - errors_before) / greatest(buckets_before, 1))
            as dispersion,
        -- Errors without the change's doing: up to half more than the rise elsewhere.
        1.5 * greatest(1.0, error_ratio_elsewhere) * error_rate_before * requests_after as errors_innocent
    from rates

)

select
    issue_id,
    change_id,
    errors_after,
    error_rate_after,
    error_rate_before,
    error_ratio_elsewhere,
    {{ rounded(log_e_value_of_count('errors_after', 'errors_innocent', 'dispersion')) }} as log_e_value
from spread

-- Telemetry around each issue, by bucket, against its usual level: errors and latency of the services that its type
-- touches or that a candidate names, and completions of its journey step. The usual level, and how much it varies, are
-- those of the days before the week in which a shift is looked for.
with sources as (

    select distinct
        issues.issue_id,
        lower(metrics.service) as source_name
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('stg_service_metrics') }} as metrics
        on
            issues.product = metrics.product
            and issues.started_at - {{ days(var('evidence_days')) }} < metrics.bucket_start
            and issues.ended_at > metrics.bucket_start
    left join {{ ref('int_touched_services') }} as touched
        on issues.issue_type = touched.issue_type and touched.service = lower(metrics.service)
    where
        touched.service is not null
        or exists (
            select 1
            from {{ ref('int_release_candidates') }} as candidates
            where candidates.issue_id = issues.issue_id and lower(candidates.service) = lower(metrics.service)
        )

),

service_buckets as (

    select
        issues.issue_id,
        sources.source_name,
        metrics.bucket_start,
        cast(sum(metrics.requests) as double) as requests,
        cast(sum(metrics.errors) as double) as errors,
        sum(cast(metrics.latency_p95_ms * metrics.requests as double)) as slowness,
        cast(sum(case when metrics.latency_p95_ms is not null then metrics.requests else 0 end) as double)
            as timed_requests
    from {{ ref('int_issues') }} as issues
    inner join sources on issues.issue_id = sources.issue_id
    inner join {{ ref('stg_service_metrics') }} as metrics
        on
            issues.product = metrics.product
            and sources.source_name = lower(metrics.service)
            and issues.started_at - {{ days(var('evidence_days')) }} < metrics.bucket_start
            and issues.ended_at > metrics.bucket_start
    group by issues.issue_id, sources.source_name, metrics.bucket_start

),

step_buckets as (

    select
        issues.issue_id,
        funnel.step as source_name,
        funnel.bucket_start,
        cast(sum(funnel.entered) as double) as entered,
        cast(sum(funnel.completed) as double) as completed
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('taxonomy') }} as taxonomy on issues.issue_type = taxonomy.issue_type
    inner join {{ ref('stg_funnel_metrics') }} as funnel
        on
            issues.product = funnel.product
            and taxonomy.funnel_step = funnel.step
            and issues.started_at - {{ days(var('evidence_days')) }} < funnel.bucket_start
            and issues.ended_at > funnel.bucket_start
    group by issues.issue_id, funnel.step, funnel.bucket_start

),

measured as (

    select
        issue_id,
        'service' as source_kind,
        source_name,
        'errors' as measure,
        bucket_start,
        requests as exposure,
        errors as amount
    from service_buckets
    where requests > 0

    union all

    select
        issue_id,
        'service' as source_kind,
        source_name,
        'latency' as measure,
        bucket_start,
        timed_requests as exposure,
        slowness as amount
    from service_buckets
    where timed_requests > 0 and slowness > 0

    union all

    select
        issue_id,
        'step' as source_kind,
        source_name,
        'completions' as measure,
        bucket_start,
        entered as exposure,
        completed as amount
    from step_buckets
    where entered > 0

),

placed as (

    select
        measured.*,
        measured.bucket_start < issues.started_at - {{ days(var('shift_days')) }} as is_reference,
        lead(measured.bucket_start) over (
            partition by measured.issue_id, measured.source_name, measured.measure order by measured.bucket_start
        ) as next_start
    from measured
    inner join {{ ref('int_issues') }} as issues on measured.issue_id = issues.issue_id

),

levels as (

    select
        issue_id,
        source_name,
        measure,
        (sum(amount) + 0.5) / (sum(exposure) + 1.0) as usual_level
    from placed
    where is_reference
    group by issue_id, source_name, measure

),

expected as (

    select
        placed.*,
        levels.usual_level,
        placed.amount as observed,
        levels.usual_level * placed.exposure as expected
    from placed
    inner join levels
        on
            placed.issue_id = levels.issue_id
            and placed.source_name = levels.source_name
            and placed.measure = levels.measure

),

-- Of counts the dispersion (Pearson) by bucket or by day, whichever is greater: a day has a level of its own. Of
-- latencies the variance of the logarithm.
days as (

    select
        issue_id,
        source_name,
        measure,
        {{ pearson_term('sum(observed)', 'sum(expected)') }} as term
    from expected
    where is_reference
    group by issue_id, source_name, measure, date_trunc('day', bucket_start)

),

day_spreads as (

    select
        issue_id,
        source_name,
        measure,
        avg(term) as spread
    from days
    group by issue_id, source_name, measure

),

spreads as (

    select
        expected.issue_id,
        expected.source_name,
        expected.measure,
        case
            when expected.measure = 'latency' then avg(power(ln(expected.observed / expected.expected), 2))
            else greatest(
                1.0, avg({{ pearson_term('expected.observed', 'expected.expected') }}), max(day_spreads.spread)
            )
        end as spread
    from expected
    inner join day_spreads
        on
            expected.issue_id = day_spreads.issue_id
            and expected.source_name = day_spreads.source_name
            and expected.measure = day_spreads.measure
    where expected.is_reference
    group by expected.issue_id, expected.source_name, expected.measure

)

select
    expected.issue_id,
    expected.source_kind,
    expected.source_name,
    expected.measure,
    expected.bucket_start,
    expected.next_start,
    expected.exposure,
    expected.observed,
    expected.expected,
    spreads.spread
from expected
inner join spreads
    on
        expected.issue_id = spreads.issue_id
        and expected.source_name = spreads.source_name
        and expected.measure = spreads.measure
where not expected.is_reference

-- Shifts of telemetry around each issue: when errors or latency of a service, or the completions of the journey step, left
-- their usual level, how far, and whether they came back. Services are those that the type touches (seed service_map) and
-- those that a candidate names. A shift is the run of buckets with the greatest log-likelihood ratio against the usual
-- level (Page's CUSUM, 1954: the maximum of a sum over runs), of the likelier of two sizes, so that a great shift is not
-- dated by the small ones before it. The usual level is that of the days before the week in which a shift is looked for.
{%- set sizes = [('errors', 2.0), ('errors', 8.0), ('latency', 1.5), ('latency', 3.0), ('completions', 0.8), ('completions', 0.4)] %}
{%- set key = 'issue_id, source_name, measure, times' %}
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
    where
        exists (
            select 1
            from {{ ref('service_map') }} as service_map
            where
                service_map.issue_type = issues.issue_type
                and lower(metrics.service) like service_map.service_pattern
        )
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

-- Of counts the dispersion (Pearson), of latencies the variance of the logarithm.
spreads as (

    select
        issue_id,
        source_name,
        measure,
        case
            when measure = 'latency' then avg(power(ln(observed / expected), 2))
            else greatest(1.0, avg({{ pearson_term('observed', 'expected') }}))
        end as spread
    from expected
    where is_reference
    group by issue_id, source_name, measure

),

sizes as (
    {%- for measure, times in sizes %}
    select
        '{{ measure }}' as measure,
        cast({{ times }} as double) as times
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

scored as (

    select
        expected.issue_id,
        expected.source_kind,
        expected.source_name,
        expected.measure,
        sizes.times,
        expected.bucket_start,
        expected.next_start,
        expected.exposure,
        expected.observed,
        expected.expected,
        case
            when expected.measure = 'latency'
                then ln(sizes.times) / greatest(0.01, spreads.spread)
                    * (ln(expected.observed / expected.expected) - ln(sizes.times) / 2.0)
            else (expected.observed * ln(sizes.times) + (1.0 - sizes.times) * expected.expected) / spreads.spread
        end as score
    from expected
    inner join spreads
        on
            expected.issue_id = spreads.issue_id
            and expected.source_name = spreads.source_name
            and expected.measure = spreads.measure
    inner join sizes on expected.measure = sizes.measure
    where not expected.is_reference

),

-- Rounded, so that the last bits of a sum do not decide where its lowest place is.
summed as (

    select
        *,
        {{ rounded('sum(score) over (partition by ' ~ key ~ ' order by bucket_start rows unbounded preceding)') }}
            as sum_after,
        {{ rounded('sum(score) over (partition by ' ~ key ~ ' order by bucket_start rows unbounded preceding) - score') }}
            as sum_before
    from scored

),

floored as (

    select
        *,
        min(sum_before) over (partition by {{ key }} order by bucket_start rows unbounded preceding) as floor_before
    from summed

),

-- The end of the run: the first bucket at which the sum stands highest above its lowest before.
ends as (

    select
        issue_id,
        source_name,
        measure,
        times,
        bucket_start as last_start,
        next_start as until,
        floor_before,
        sum_after - floor_before as log_ratio,
        row_number() over (
            partition by issue_id, source_name, measure
            order by sum_after - floor_before desc, times asc, bucket_start asc
        ) as place
    from floored

),

-- The beginning of the run: the last bucket before which the sum stood lowest.
runs as (

    select
        ends.issue_id,
        ends.source_name,
        ends.measure,
        ends.times,
        ends.last_start,
        ends.until,
        ends.log_ratio,
        max(floored.bucket_start) as first_start
    from ends
    inner join floored
        on
            ends.issue_id = floored.issue_id
            and ends.source_name = floored.source_name
            and ends.measure = floored.measure
            and ends.times = floored.times
            and ends.floor_before = floored.sum_before
            and ends.last_start >= floored.bucket_start
    where ends.place = 1
    group by
        ends.issue_id,
        ends.source_name,
        ends.measure,
        ends.times,
        ends.last_start,
        ends.until,
        ends.log_ratio

),

described as (

    select
        runs.issue_id,
        scored.source_kind,
        runs.source_name,
        runs.measure,
        runs.first_start as shifted_at,
        max(case when scored.bucket_start = runs.first_start then scored.next_start end) as shifted_before,
        runs.until,
        runs.log_ratio,
        sum(scored.exposure) as exposure,
        cast(count(*) filter (where scored.bucket_start between runs.first_start and runs.last_start) as double)
            as buckets_within,
        sum(scored.observed) filter (where scored.bucket_start between runs.first_start and runs.last_start)
            as observed_within,
        sum(scored.expected) filter (where scored.bucket_start between runs.first_start and runs.last_start)
            as expected_within,
        sum(scored.observed) filter (where scored.bucket_start > runs.last_start) as observed_since,
        sum(scored.expected) filter (where scored.bucket_start > runs.last_start) as expected_since,
        max(scored.bucket_start) as last_bucket
    from runs
    inner join scored
        on
            runs.issue_id = scored.issue_id
            and runs.source_name = scored.source_name
            and runs.measure = scored.measure
            and runs.times = scored.times
    group by
        runs.issue_id,
        scored.source_kind,
        runs.source_name,
        runs.measure,
        runs.first_start,
        runs.last_start,
        runs.until,
        runs.log_ratio

),

judged as (

    select
        *,
        case
            when measure = 'completions' then (expected_within + 0.5) / (observed_within + 0.5)
            else (observed_within + 0.5) / (expected_within + 0.5)
        end as ratio,
        -- Below eight (odds of three thousand to one) chance finds such a run in some week of some service, and a single
        -- bucket of minutes is a hiccup of the monitoring.
        case
            when log_ratio < 8.0 or {{ seconds_between('shifted_at', 'until') }} < 1800 then 0.0
            when measure = 'errors' then least(1.0, (observed_within - expected_within) / 20.0)
            when measure = 'latency' then least(1.0, buckets_within / 4.0)
            else least(1.0, (expected_within - observed_within) / 20.0)
        end as weight
    from described

)

select
    issue_id,
    source_kind,
    source_name,
    measure,
    shifted_at,
    shifted_before,
    until,
    exposure,
    {{ rounded('observed_within') }} as observed,
    {{ rounded('expected_within') }} as expected,
    {{ rounded('log_ratio') }} as log_ratio,
    {{ rounded('ratio') }} as ratio,
    -- Three times the errors, twice the latency or half the completions count in full.
    {{ rounded(
        'weight * case when measure = \'errors\' then ' ~ doublings('ratio', '3.0')
        ~ ' when measure = \'latency\' then ' ~ doublings('ratio', '2.0')
        ~ ' else ' ~ doublings('ratio', '1.5') ~ ' end'
    ) }} as strength,
    -- Back at its usual level for six hours or more.
    coalesce(
        {{ seconds_between('until', 'last_bucket') }} >= 6 * 3600
        and case
            when measure = 'completions' then observed_since >= 0.9 * expected_since
            else observed_since <= 1.25 * expected_since
        end, false
    ) as is_over
from judged

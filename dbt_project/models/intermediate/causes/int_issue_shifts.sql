-- Shifts of telemetry around each issue: when errors or latency of a service, or the completions of the journey step,
-- left their usual level, how far, and whether they came back. Services are those that the type touches (seed
-- service_map) and those that a candidate names. A shift is the run of buckets with the greatest log-likelihood ratio
-- against the usual level (Page's CUSUM, 1954: the maximum of a sum over runs), of the likeliest of some sizes, so that
-- a great shift is not dated by the small ones before it. The usual level is that of the days before the week in which
-- a shift is looked for.
{%- set sizes = [
    ('errors', 2.0), ('errors', 8.0), ('errors', 32.0), ('latency', 1.5), ('latency', 3.0), ('completions', 0.8),
    ('completions', 0.4)
] %}
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
                then
                    ln(sizes.times) / greatest(0.01, spreads.spread)
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
        {{ rounded(
            'sum(score) over (partition by ' ~ key ~ ' order by bucket_start rows unbounded preceding) - score'
        ) }} as sum_before
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
        ends.floor_before,
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
        ends.floor_before,
        ends.log_ratio

),

-- The run may as well have begun wherever the sum stood within three of its lowest (a likelihood interval of 98 %).
beginnings as (

    select
        runs.issue_id,
        runs.source_name,
        runs.measure,
        max(floored.next_start) as shifted_before
    from runs
    inner join floored
        on
            runs.issue_id = floored.issue_id
            and runs.source_name = floored.source_name
            and runs.measure = floored.measure
            and runs.times = floored.times
            and runs.first_start <= floored.bucket_start
            and runs.last_start >= floored.bucket_start
            and runs.floor_before + 3.0 >= floored.sum_before
    group by runs.issue_id, runs.source_name, runs.measure

),

described as (

    select
        runs.issue_id,
        scored.source_kind,
        runs.source_name,
        runs.measure,
        runs.first_start as shifted_at,
        max(beginnings.shifted_before) as shifted_before,
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
        sum(scored.observed) filter (
            where scored.bucket_start >= runs.first_start and scored.bucket_start < runs.first_start + {{ hours(2) }}
        ) as observed_first,
        sum(scored.expected) filter (
            where scored.bucket_start >= runs.first_start and scored.bucket_start < runs.first_start + {{ hours(2) }}
        ) as expected_first,
        max(scored.bucket_start) as last_bucket
    from runs
    inner join scored
        on
            runs.issue_id = scored.issue_id
            and runs.source_name = scored.source_name
            and runs.measure = scored.measure
            and runs.times = scored.times
    inner join beginnings
        on
            runs.issue_id = beginnings.issue_id
            and runs.source_name = beginnings.source_name
            and runs.measure = beginnings.measure
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
        case
            when measure = 'completions' then (expected_first + 0.5) / (observed_first + 0.5)
            else (observed_first + 0.5) / (expected_first + 0.5)
        end as ratio_at_first,
        -- Below eight (odds of three thousand to one) chance finds such a run in some week of some service, and a
        -- single bucket of minutes is a hiccup of the monitoring.
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
    -- It counts from half more errors or a quarter more latency on; three times the errors, twice the latency or two
    -- thirds of the completions count in full.
    {{ rounded(
        'weight * case when measure = \'errors\' then ' ~ doublings('ratio / 1.5', '2.0')
        ~ ' when measure = \'latency\' then ' ~ doublings('ratio / 1.25', '1.6')
        ~ ' else ' ~ doublings('ratio', '1.5') ~ ' end'
    ) }} as strength,
    -- Not yet half as bad in its first two hours: such a shift began before it could be seen.
    ratio_at_first - 1.0 < 0.5 * (ratio - 1.0) as is_gradual,
    -- Back near its usual level (a fifth of the shift at most) for six hours or more.
    coalesce(
        {{ seconds_between('until', 'last_bucket') }} >= 6 * 3600
        and case
            when measure = 'completions'
                then 1.0 - observed_since / expected_since <= 0.2 * (1.0 - observed_within / expected_within)
            else observed_since / expected_since - 1.0 <= 0.2 * (ratio - 1.0)
        end, false
    ) as is_over
from judged

-- Shifts of telemetry around each issue: when errors or latency of a service, or the completions of the journey step,
-- left their usual level (int_issue_telemetry), how far, and whether they came back. A shift is the run of buckets
-- with the greatest log-likelihood ratio against the usual level (Page's CUSUM, 1954: the maximum of a sum over
-- runs), of the likeliest of some sizes, so that a great shift is not dated by the small ones before it.
{%- set sizes = [
    ('errors', 2.0), ('errors', 8.0), ('errors', 32.0), ('latency', 1.5), ('latency', 3.0), ('completions', 0.8),
    ('completions', 0.4)
] %}
{%- set key = 'issue_id, source_name, measure, times' %}
with sizes as (
    {%- for measure, times in sizes %}
        select
            '{{ measure }}' as measure,
            cast({{ times }} as double) as times
        {{ 'union all' if not loop.last }}
    {%- endfor %}

),

scored as (

    select
        measured.issue_id,
        measured.source_kind,
        measured.source_name,
        measured.measure,
        sizes.times,
        measured.bucket_start,
        measured.next_start,
        measured.exposure,
        measured.observed,
        measured.expected,
        case
            when measured.measure = 'latency'
                then
                    ln(sizes.times) / greatest(0.01, measured.spread)
                    * (ln(measured.observed / measured.expected) - ln(sizes.times) / 2.0)
            else (measured.observed * ln(sizes.times) + (1.0 - sizes.times) * measured.expected) / measured.spread
        end as score
    from {{ ref('int_issue_telemetry') }} as measured
    inner join sizes on measured.measure = sizes.measure

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

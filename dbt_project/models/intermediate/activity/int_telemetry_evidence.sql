-- Telemetry evidence at each look at which complaints begin to stand out: per measure that the issue type touches
-- (seeds service_map and taxonomy), how much its last 1, 4 and 24 hours speak against chance, in the scope of the
-- complaints and for the whole product.
with looks as (

    select
        product,
        issue_type,
        scope_kind,
        scope_value,
        tick
    from {{ ref('int_complaint_evidence') }}
    where
        tick > {{ rebuild_from() }}
        and log_e_value >= {{ var('corroborated_log_e_value') }}
        and feedback_count_72h >= {{ var('corroborated_people') }}

),

measures as (

    select distinct
        product,
        kind,
        measure,
        scope_kind,
        scope_value
    from {{ ref('int_telemetry_counts') }}

),

touched as (

    select distinct
        services.issue_type,
        measures.kind,
        measures.measure,
        services.is_specific
    from measures
    inner join {{ ref('int_touched_services') }} as services on measures.measure = services.service
    where
        measures.kind <> 'completions'
        -- A type that any service may touch is corroborated by none of them, but slowness by that of any.
        and (services.is_specific or (measures.kind = 'latency' and services.issue_type = 'performance'))

    union all

    select
        issue_type,
        'completions' as kind,
        funnel_step as measure,
        true as is_specific
    from {{ ref('taxonomy') }}
    where funnel_step <> 'none'

),

wanted as (

    select
        looks.product,
        looks.issue_type,
        looks.scope_kind,
        looks.scope_value,
        looks.tick,
        measures.kind,
        measures.measure,
        measures.scope_kind as measured_kind,
        measures.scope_value as measured_value
    from looks
    inner join touched on looks.issue_type = touched.issue_type
    inner join measures
        on
            looks.product = measures.product
            and touched.kind = measures.kind
            and touched.measure = measures.measure
            and (
                measures.scope_kind = 'all'
                -- Whatever is slow somewhere on one version corroborates no complaint of slowness on others.
                or (measures.scope_kind = 'app_version' and touched.is_specific)
                or (looks.scope_kind = measures.scope_kind and looks.scope_value = measures.scope_value)
            )

),

-- Zeros at the looks, so that the trailing sums exist there as well.
steps as (

    select distinct
        product,
        kind,
        measure,
        measured_kind as scope_kind,
        measured_value as scope_value,
        tick,
        0.0 as trials,
        0.0 as amount
    from wanted

    union all

    select
        product,
        kind,
        measure,
        scope_kind,
        scope_value,
        tick,
        trials,
        amount
    from {{ ref('int_telemetry_counts') }}
    where tick > {{ rebuild_from() }} - {{ hours(24) }}

),

timeline as (

    select
        product,
        kind,
        measure,
        scope_kind,
        scope_value,
        tick,
        sum(trials) as trials,
        sum(amount) as amount
    from steps
    group by product, kind, measure, scope_kind, scope_value, tick

),

running as (

    select
        product,
        kind,
        measure,
        scope_kind,
        scope_value,
        tick,
        {{ running_sums(
            {'trials': 'trials', 'amount': 'amount'},
            ['product', 'kind', 'measure', 'scope_kind', 'scope_value'], [1, 4, 24]
        ) }}
    from timeline

),

judged as (

    select
        wanted.product,
        wanted.issue_type,
        wanted.scope_kind,
        wanted.scope_value,
        wanted.tick,
        wanted.kind,
        wanted.measure,
        wanted.measured_kind,
        wanted.measured_value,
        running.trials_24h,
        running.amount_24h,
        baseline.rate,
        greatest(baseline.spread, case
            when wanted.kind = 'errors' then {{ var('least_error_spread') }}
            when wanted.kind = 'completions' then {{ var('least_completion_spread') }}
            else {{ var('least_latency_spread') }}
        end) as spread,
        running.trials_1h,
        running.amount_1h,
        running.trials_1h * baseline.rate as expected_1h,
        running.trials_4h,
        running.amount_4h,
        running.trials_4h * baseline.rate as expected_4h,
        running.trials_24h * baseline.rate as expected_24h
    from wanted
    inner join running
        on
            wanted.product = running.product
            and wanted.kind = running.kind
            and wanted.measure = running.measure
            and wanted.measured_kind = running.scope_kind
            and wanted.measured_value = running.scope_value
            and wanted.tick = running.tick
    inner join {{ ref('int_telemetry_baseline') }} as baseline
        on
            wanted.product = baseline.product
            and wanted.kind = baseline.kind
            and wanted.measure = baseline.measure
            -- A version is compared with what all versions had: a new one has no past of its own.
            and case when wanted.measured_kind = 'app_version' then 'all' else wanted.measured_kind end
            = baseline.scope_kind
            and case when wanted.measured_kind = 'app_version' then 'all' else wanted.measured_value end
            = baseline.scope_value
            and {{ day_of('wanted.tick') }} = baseline.day
    where running.trials_24h > 0

)

select
    product,
    issue_type,
    scope_kind,
    scope_value,
    tick,
    kind,
    measure,
    measured_kind,
    measured_value,
    trials_24h as trials,
    amount_24h as amount,
    rate,
    {{ rounded(
        "case kind when 'errors' then "
        ~ log_e_value_of_windows('amount', 'expected', [1, 4, 24], [1.5, 2.0, 4.0, 8.0, 16.0])
        ~ " when 'completions' then "
        ~ log_e_value_of_windows('amount', 'expected', [1, 4, 24], [0.9, 0.75, 0.5, 0.25])
        ~ " else " ~ log_e_value_of_slowness([1, 4, 24]) ~ " end"
    ) }} as log_e_value
from judged

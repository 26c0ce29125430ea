-- Telemetry counts per product, measure, scope and tick. Kinds of measure: errors of the requests of a service,
-- completions of those who entered a step of the journey, and the latency (95th percentile) of a service, as the sum
-- of its logarithm over the requests. Counted at the tick at which they became known.
with measured as (

    select
        product,
        'errors' as kind,
        lower(service) as measure,
        platform,
        country,
        app_version,
        cast(requests as double) as trials,
        cast(errors as double) as amount,
        bucket_start,
        {{ tick_of(counted_at('bucket_start', 'known_at')) }} as tick
    from {{ ref('stg_service_metrics') }}
    where requests > 0

    union all

    select
        product,
        'latency' as kind,
        lower(service) as measure,
        platform,
        country,
        app_version,
        cast(requests as double) as trials,
        cast(requests as double) * ln(greatest(cast(latency_p95_ms as double), 1.0)) as amount,
        bucket_start,
        {{ tick_of(counted_at('bucket_start', 'known_at')) }} as tick
    from {{ ref('stg_service_metrics') }}
    where requests > 0 and latency_p95_ms is not null

    union all

    select
        product,
        'completions' as kind,
        step as measure,
        platform,
        country,
        app_version,
        cast(entered as double) as trials,
        cast(completed as double) as amount,
        bucket_start,
        {{ tick_of(counted_at('bucket_start', 'known_at')) }} as tick
    from {{ ref('stg_funnel_metrics') }}
    where entered > 0

),

scoped as (

    {{ by_scope(
        'measured', ['product', 'kind', 'measure', 'bucket_start', 'tick', 'trials', 'amount'],
        ['all', 'platform', 'country', 'app_version']
    ) }}

)

select
    product,
    kind,
    measure,
    scope_kind,
    scope_value,
    tick,
    min(bucket_start) as began_at,
    cast(sum(cast(trials as decimal(24, 6))) as double) as trials,
    cast(sum(cast(amount as decimal(24, 6))) as double) as amount
from scoped
where tick > {{ rebuild_from() }} - {{ days(var('baseline_last_day') + 2) }}
group by product, kind, measure, scope_kind, scope_value, tick

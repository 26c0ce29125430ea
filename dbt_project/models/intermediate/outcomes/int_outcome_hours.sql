{{ config(materialized='incremental', meta={'rebuilt_by': 'hour'}, pre_hook="{{ forget_since('hour') }}") }}

-- Counts that outcomes are measured by, per product, measure, series, scope and hour (named by its end): complaints,
-- and those that reached support, by issue type; failed attempts by step of the journey, with those who entered it as
-- exposure; refunds, with the orders; visits, which are the exposure of complaints.
with orders as (

    select
        *,
        min(known_at) over (partition by product) as first_known_at
    from {{ ref('stg_orders') }}

),

-- An order, or a refund, counts when it became known. What the first load brought counts when it happened; what a later
-- one brings too late does not count.
order_events as (

    select
        product,
        min(case when happened_at < known_at - {{ days(var('backfill_days')) }} then happened_at else known_at end)
            as counted_at,
        is_refund,
        max(amount) as amount
    from (
        select
            product,
            order_id,
            sku,
            false as is_refund,
            amount,
            ordered_at as happened_at,
            known_at,
            first_known_at
        from orders
        where ordered_at is not null

        union all

        select
            product,
            order_id,
            sku,
            true as is_refund,
            refund_amount as amount,
            refunded_at as happened_at,
            known_at,
            first_known_at
        from orders
        where refunded_at is not null
    ) as events
    where
        happened_at >= known_at - {{ days(var('backfill_days')) }}
        or known_at <= first_known_at + {{ days(1) }}
    group by product, order_id, sku, is_refund, case when is_refund then happened_at end

),

pieces as (

    select
        feedback.product,
        'complaints' as measure,
        feedback.issue_type as series,
        feedback.platform,
        feedback.country,
        1.0 as amount,
        0.0 as exposure,
        0.0 as money,
        {{ hour_end('feedback.counted_at') }} as hour
    from {{ ref('int_feedback') }} as feedback
    inner join {{ ref('taxonomy') }} as taxonomy on feedback.issue_type = taxonomy.issue_type
    where taxonomy.actionable and feedback.is_counted is not false

    union all

    select
        feedback.product,
        'support_contacts' as measure,
        feedback.issue_type as series,
        feedback.platform,
        feedback.country,
        1.0 as amount,
        0.0 as exposure,
        0.0 as money,
        {{ hour_end('feedback.counted_at') }} as hour
    from {{ ref('int_feedback') }} as feedback
    inner join {{ ref('taxonomy') }} as taxonomy on feedback.issue_type = taxonomy.issue_type
    where taxonomy.actionable and feedback.is_counted is not false and feedback.is_support

    union all

    select
        product,
        case when step = 'visit' then 'visits' else 'failed_attempts' end as measure,
        step as series,
        platform,
        country,
        case when step = 'visit' then 0.0 else cast(entered as double) - cast(completed as double) end as amount,
        cast(entered as double) as exposure,
        0.0 as money,
        {{ hour_end('bucket_start') }} as hour
    from {{ ref('stg_funnel_metrics') }}
    where entered > 0

    union all

    select
        product,
        'refunds' as measure,
        'orders' as series,
        cast(null as {{ dbt.type_string() }}) as platform,
        cast(null as {{ dbt.type_string() }}) as country,
        case when is_refund then 1.0 else 0.0 end as amount,
        case when is_refund then 0.0 else 1.0 end as exposure,
        cast(amount as double) as money,
        {{ hour_end('counted_at') }} as hour
    from order_events

),

scoped as (

    {{ by_scope('pieces', ['product', 'measure', 'series', 'amount', 'exposure', 'money', 'hour']) }}

)

select
    product,
    measure,
    series,
    scope_kind,
    scope_value,
    hour,
    cast(sum(cast(amount as decimal(24, 6))) as double) as amount,
    cast(sum(cast(exposure as decimal(24, 6))) as double) as exposure,
    cast(sum(cast(case when exposure > 0 then money else 0.0 end as decimal(24, 6))) as double) as ordered_money,
    cast(sum(cast(case when exposure > 0 then 0.0 else money end as decimal(24, 6))) as double) as refunded_money
from scoped
where hour > {{ rebuild_from() }}
group by product, measure, series, scope_kind, scope_value, hour

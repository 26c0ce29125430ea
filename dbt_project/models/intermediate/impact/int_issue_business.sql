-- Business evidence per issue: conversion of the journey step that its type touches (taxonomy), inside its platform if
-- it has one, since the onset against the 28 days before, and the value of the lost completions at the average order.
with issues as (

    select * from {{ ref('int_issues') }}

),

funnel as (

    select
        issues.issue_id,
        cast(funnel.entered as double) as entered,
        cast(funnel.completed as double) as completed,
        funnel.bucket_start >= issues.started_at as is_during,
        coalesce(funnel.platform = scope.scope_platform, true) as is_in_scope
    from issues
    inner join {{ ref('int_issue_scope') }} as scope on issues.issue_id = scope.issue_id
    inner join {{ ref('taxonomy') }} as taxonomy on issues.issue_type = taxonomy.issue_type
    inner join {{ ref('stg_funnel_metrics') }} as funnel
        on
            issues.product = funnel.product
            and taxonomy.funnel_step = funnel.step
            and issues.started_at - {{ days(var('evidence_days')) }} < funnel.bucket_start
            and issues.ended_at > funnel.bucket_start

),

sums as (

    select
        issue_id,
        coalesce(sum(entered) filter (where is_during and is_in_scope), 0.0) as entered_during,
        coalesce(sum(completed) filter (where is_during and is_in_scope), 0.0) as completed_during,
        coalesce(sum(entered) filter (where not is_during and is_in_scope), 0.0) as entered_before,
        coalesce(sum(completed) filter (where not is_during and is_in_scope), 0.0) as completed_before,
        coalesce(sum(completed) filter (where not is_during), 0.0) as completed_before_anywhere
    from funnel
    group by issue_id

),

-- Orders, each the sum of its lines.
orders as (

    select
        issue_id,
        order_id,
        cast(sum(cast(amount as decimal(24, 6))) as double) as amount,
        max(case when is_ordered_before then 1.0 else 0.0 end) as is_before
    from {{ ref('int_issue_order_lines') }}
    where is_ordered_in_period
    group by issue_id, order_id

),

order_sums as (

    select
        issue_id,
        cast(sum(cast(amount as decimal(24, 6))) as double) / count(*) as average_order_value,
        sum(is_before) as orders_before
    from orders
    group by issue_id

),

rates as (

    select
        *,
        (completed_before + 0.5) / (entered_before + 1.0) as conversion_before,
        (completed_during + 0.5) / (entered_during + 1.0) as conversion_during
    from sums
    where entered_before > 0 and entered_during > 0

),

-- `order_share`: orders per completion of this step, because later steps lose customers too. Orders have no platform,
-- so both sides of the share count all platforms.
compared as (

    select
        rates.issue_id,
        rates.entered_during,
        rates.entered_before,
        rates.conversion_before,
        rates.conversion_during,
        rates.conversion_during / rates.conversion_before as conversion_ratio,
        coalesce(order_sums.average_order_value, 0.0) as average_order_value,
        case
            when rates.completed_before_anywhere > 0
                then least(1.0, coalesce(order_sums.orders_before, 0.0) / rates.completed_before_anywhere)
            else 0.0
        end as order_share
    from rates
    left join order_sums on rates.issue_id = order_sums.issue_id

)

select
    issue_id,
    entered_during,
    conversion_before,
    conversion_during,
    conversion_ratio,
    -- Two-proportion z statistic; conversion must have fallen beyond chance before it counts as evidence.
    {{ rounded(
        '(conversion_before - conversion_during)'
        ~ ' / sqrt(conversion_before * (1.0 - least(conversion_before, 0.999))'
        ~ ' * (1.0 / entered_during + 1.0 / entered_before))'
    ) }} as fall_z,
    order_share,
    average_order_value,
    {{ rounded(
        'greatest(0.0, conversion_before - conversion_during) * entered_during * order_share * average_order_value', 2
    ) }} as lost_conversion_value
from compared

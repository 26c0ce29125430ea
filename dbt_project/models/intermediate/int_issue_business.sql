-- Business evidence per issue: conversion of the journey step that its type touches (taxonomy), inside its platform if it has
-- one, since the onset against the 28 days before, and what the lost completions are worth at the average order value.
with funnel as (

    select
        issues.issue_id,
        funnel.bucket_start >= issues.started_at as is_during,
        cast(funnel.entered as double) as entered,
        cast(funnel.completed as double) as completed
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('int_issue_scope') }} as scope on issues.issue_id = scope.issue_id
    inner join {{ ref('taxonomy') }} as taxonomy on issues.issue_type = taxonomy.issue_type
    inner join {{ ref('stg_funnel_metrics') }} as funnel
        on
            issues.product = funnel.product
            and taxonomy.funnel_step = funnel.step
            and funnel.bucket_start > issues.started_at - interval '672' hour
            and funnel.bucket_start < issues.ended_at
            and (scope.scope_platform is null or funnel.platform is null or funnel.platform = scope.scope_platform)

),

sums as (

    select
        issue_id,
        coalesce(sum(entered) filter (where is_during), 0.0) as entered_during,
        coalesce(sum(completed) filter (where is_during), 0.0) as completed_during,
        coalesce(sum(entered) filter (where not is_during), 0.0) as entered_before,
        coalesce(sum(completed) filter (where not is_during), 0.0) as completed_before
    from funnel
    group by issue_id

),

order_value as (

    select product, avg(cast(amount as double)) as average_order_value
    from {{ ref('stg_orders') }}
    group by product

),

-- Of those who complete this step, how many end up ordering: later steps lose customers too.
orders_per_completion as (

    select
        sums.issue_id,
        least(1.0, coalesce(cast(count(orders.order_id) as double), 0.0) / max(sums.completed_before)) as order_share
    from sums
    inner join {{ ref('int_issues') }} as issues on sums.issue_id = issues.issue_id
    inner join {{ ref('int_issue_scope') }} as scope on sums.issue_id = scope.issue_id
    left join {{ ref('stg_orders') }} as orders
        on
            issues.product = orders.product
            and orders.ordered_at > issues.started_at - interval '672' hour
            and orders.ordered_at < issues.started_at
            and (scope.scope_platform is null or orders.platform is null or orders.platform = scope.scope_platform)
    where sums.completed_before > 0
    group by sums.issue_id

),

rates as (

    select
        sums.*,
        (sums.completed_before + 0.5) / (sums.entered_before + 1.0) as conversion_before,
        (sums.completed_during + 0.5) / (sums.entered_during + 1.0) as conversion_during
    from sums
    where sums.entered_before > 0 and sums.entered_during > 0

)

select
    rates.issue_id,
    rates.entered_during,
    rates.conversion_before,
    rates.conversion_during,
    rates.conversion_during / rates.conversion_before as conversion_ratio,
    -- Two-proportion z statistic; conversion must have fallen beyond chance before it counts as evidence.
    (rates.conversion_before - rates.conversion_during)
    / sqrt(
        rates.conversion_before * (1.0 - least(rates.conversion_before, 0.999))
        * (1.0 / rates.entered_during + 1.0 / rates.entered_before)
    ) as fall_z,
    greatest(0.0, rates.conversion_before - rates.conversion_during)
    * rates.entered_during
    * coalesce(orders_per_completion.order_share, 0.0)
    * coalesce(order_value.average_order_value, 0.0) as lost_conversion_value
from rates
inner join {{ ref('int_issues') }} as issues on rates.issue_id = issues.issue_id
left join orders_per_completion on rates.issue_id = orders_per_completion.issue_id
left join order_value on issues.product = order_value.product

-- What an issue has cost in refunds: money given back since its onset beyond what the 28 days before let expect, where
-- complaints of its type end in refunds (taxonomy). Order lines as they were known when the issue ended.
with issues as (

    select
        issues.issue_id,
        issues.product,
        issues.started_at,
        issues.ended_at,
        {{ seconds_between('issues.started_at', 'issues.ended_at') }} / 86400.0 as days_during
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('taxonomy') }} as taxonomy on issues.issue_type = taxonomy.issue_type
    where taxonomy.refunds_follow

),

lines as (

    select
        issues.issue_id,
        issues.days_during,
        orders.refunded_at >= issues.started_at as is_during,
        cast(orders.refund_amount as double) as refund_amount,
        row_number() over (
            partition by issues.issue_id, orders.order_id, orders.sku
            order by orders.version desc
        ) as version_rank
    from issues
    inner join {{ ref('stg_orders') }} as orders
        on
            issues.product = orders.product
            and issues.started_at - interval '672' hour < orders.refunded_at
            and issues.ended_at >= orders.refunded_at
            and issues.ended_at >= orders.known_at

),

sums as (

    select
        issue_id,
        max(days_during) as days_during,
        coalesce(sum(refund_amount) filter (where is_during), 0.0) as refunded_during,
        coalesce(sum(refund_amount) filter (where not is_during), 0.0) as refunded_before
    from lines
    where version_rank = 1
    group by issue_id

)

select
    issue_id,
    refunded_during,
    refunded_before,
    {{ rounded('greatest(0.0, refunded_during - refunded_before * days_during / 28.0)', 2) }} as refund_value
from sums

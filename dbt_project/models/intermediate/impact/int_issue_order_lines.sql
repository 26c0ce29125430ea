-- Order lines around each issue: ordered or refunded from 28 days before its onset to its end, in the version known at
-- its end.
with versions as (

    select
        issues.issue_id,
        issues.started_at,
        issues.ended_at,
        orders.order_id,
        orders.sku,
        orders.currency,
        orders.ordered_at,
        orders.refunded_at,
        cast(orders.amount as double) as amount,
        cast(orders.refund_amount as double) as refund_amount,
        row_number() over (
            partition by issues.issue_id, orders.order_id, orders.sku
            order by orders.version desc
        ) as version_rank
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('stg_orders') }} as orders
        on
            issues.product = orders.product
            and issues.ended_at >= orders.known_at
            and issues.ended_at >= orders.ordered_at
            and (
                issues.started_at - {{ days(var('evidence_days')) }} < orders.ordered_at
                or issues.started_at - {{ days(var('evidence_days')) }} < orders.refunded_at
            )

)

select
    issue_id,
    order_id,
    sku,
    currency,
    amount,
    ordered_at > started_at - {{ days(var('evidence_days')) }} as is_ordered_in_period,
    ordered_at < started_at as is_ordered_before,
    refunded_at > started_at - {{ days(var('evidence_days')) }} and refunded_at <= ended_at as is_refunded_in_period,
    refunded_at >= started_at as is_refunded_during,
    refunded_at,
    refund_amount
from versions
where version_rank = 1

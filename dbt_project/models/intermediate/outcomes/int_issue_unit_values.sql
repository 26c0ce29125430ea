{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

-- What one failed attempt and one refund of each issue's product cost: means of the 28 days before its onset. A failed
-- attempt costs the average order, times the orders per completion of the step, because later steps lose customers too.
with sums as (

    select
        spans.issue_id,
        cast(sum(cast(hours.ordered_money as decimal(24, 6))) as double) as ordered_money,
        cast(sum(cast(hours.refunded_money as decimal(24, 6))) as double) as refunded_money,
        sum(case when hours.measure = 'refunds' then hours.exposure else 0.0 end) as orders,
        sum(case when hours.measure = 'refunds' then hours.amount else 0.0 end) as refunds,
        sum(case when hours.measure = 'failed_attempts' then hours.exposure - hours.amount else 0.0 end) as completions
    from {{ ref('int_issue_spans') }} as spans
    inner join {{ ref('int_issues') }} as issues on spans.issue_id = issues.issue_id
    inner join {{ ref('int_outcome_hours') }} as hours
        on
            spans.product = hours.product
            and hours.scope_kind = 'all'
            and spans.started_at - {{ days(var('evidence_days')) }} < hours.hour
            and spans.started_at >= hours.hour
            and (
                hours.measure = 'refunds'
                or (hours.measure = 'failed_attempts' and spans.funnel_step = hours.series)
            )
    group by spans.issue_id

)

select
    issue_id,
    case
        when orders > 0 and completions > 0
            then {{ rounded('ordered_money / orders * least(1.0, orders / completions)', 4) }}
    end as failed_attempt_value,
    case when refunds > 0 then {{ rounded('refunded_money / refunds', 4) }} end as refund_value
from sums

{{ config(materialized='incremental', meta={'rebuilt_by': 'tick'}, pre_hook="{{ forget_since('tick') }}") }}

-- Feedback counts per product, issue type, scope and tick. Scopes: the whole product, each platform, each country.
-- The issue type '(any)' counts all feedback with a clear topic: the background of a single type. (An unclear text is
-- no measure of traffic: in a storm it is as likely to be about the storm.) Of these, `calm_count` is no complaint:
-- praise and requests, by which a crowd is told from an incident. `fresh_...` is the evidence that became known
-- within so many hours of being written: what a load brings at once was not said at once. Who counts is decided in
-- int_feedback_weights.
with feedback as (

    select
        product,
        issue_type,
        platform,
        country,
        evidence_weight,
        {{ fresh('1') }} as fresh_1h,
        {{ fresh('4') }} as fresh_4h,
        {{ tick_of('counted_at') }} as tick
    from {{ ref('int_feedback') }}
    where
        issue_type is not null
        and is_counted is not false
        and counted_at > {{ rebuild_from() }}

),

typed as (

    select
        feedback.product,
        feedback.issue_type,
        feedback.platform,
        feedback.country,
        feedback.evidence_weight,
        feedback.fresh_1h,
        feedback.fresh_4h,
        0 as is_calm,
        feedback.tick
    from feedback
    inner join {{ ref('taxonomy') }} as taxonomy on feedback.issue_type = taxonomy.issue_type
    where taxonomy.actionable

    union all

    select
        feedback.product,
        '(any)' as issue_type,
        feedback.platform,
        feedback.country,
        feedback.evidence_weight,
        feedback.fresh_1h,
        feedback.fresh_4h,
        case when taxonomy.actionable then 0 else 1 end as is_calm,
        feedback.tick
    from feedback
    inner join {{ ref('taxonomy') }} as taxonomy on feedback.issue_type = taxonomy.issue_type
    where feedback.issue_type <> 'other'

),

scoped as (

    {{ by_scope('typed', ['product', 'issue_type', 'tick', 'evidence_weight', 'fresh_1h', 'fresh_4h', 'is_calm']) }}

)

select
    product,
    issue_type,
    scope_kind,
    scope_value,
    tick,
    cast(count(*) as bigint) as feedback_count,
    cast(sum(is_calm) as bigint) as calm_count,
    cast(sum(cast(evidence_weight as decimal(18, 4))) as double) as evidence,
    cast(sum(cast(fresh_1h as decimal(18, 4))) as double) as fresh_1h,
    cast(sum(cast(fresh_4h as decimal(18, 4))) as double) as fresh_4h
from scoped
group by product, issue_type, scope_kind, scope_value, tick

-- Affected customers of each issue: distinct people (feedback of an unknown person counts one each), those established
-- and those new among them, their weight by segment, their lifetime value at risk, all as known when the issue ended;
-- and support load: tickets and chats a day against the 28 days before. Beside the complaints themselves, support shows
-- pressure by the tickets and chats of other types, against what else is said of them.
with members as (

    select * from {{ ref('int_issue_feedback') }}

),

affected as (

    select
        issue_id,
        count(*) as customers_affected,
        sum(is_established) as known_people,
        sum(is_new) as new_accounts,
        cast(sum(cast(segment_weight as decimal(24, 6))) as double) / count(*) as segment_weight,
        cast(sum(cast(churn_value as decimal(24, 6))) as double) as churn_value
    from {{ ref('int_issue_people') }}
    group by issue_id

),

support_during as (

    select
        issue_id,
        cast(count(*) filter (where is_support) as double) as support_count,
        count(*) as feedback_count,
        sum(cast(evidence_weight as decimal(18, 4))) as evidence
    from members
    group by issue_id

),

support_before as (

    select
        issues.issue_id,
        cast(count(feedback.feedback_id) as double) as support_count
    from {{ ref('int_issues') }} as issues
    left join {{ ref('int_feedback') }} as feedback
        on
            issues.product = feedback.product
            and issues.issue_type = feedback.issue_type
            and feedback.is_support
            and feedback.is_counted is not false
            and feedback.counted_at > issues.first_tick - {{ days(var('evidence_days') + 1) }}
            and feedback.counted_at <= issues.first_tick - {{ days(1) }}
            and feedback.counted_at > {{ history_from() }}
    group by issues.issue_id

),

-- What is said of other types, by support and elsewhere, in the days of the issue and in the 28 days before.
beside as (

    select
        issues.issue_id,
        {%- for name, condition in {'support': 'feedback.is_support', 'other': 'not feedback.is_support'}.items() %}
            cast(count(*) filter (
                where {{ condition }} and feedback.counted_at > issues.first_tick - {{ days(1) }}
            ) as double) as {{ name }}_during,
            cast(count(*) filter (
                where {{ condition }} and feedback.counted_at <= issues.first_tick - {{ days(1) }}
            ) as double) as {{ name }}_before,
        {%- endfor %}
        max({{ seconds_between('issues.first_tick', 'issues.ended_at') }} / 86400.0 + 1.0)
        / {{ var('evidence_days') }}.0 as periods_during
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('int_feedback') }} as feedback
        on
            issues.product = feedback.product
            and issues.issue_type <> feedback.issue_type
            and issues.first_tick - {{ days(var('evidence_days') + 1) }} < feedback.counted_at
            and issues.ended_at >= feedback.counted_at
    where feedback.is_counted is not false and feedback.counted_at > {{ history_from() }}
    group by issues.issue_id

),

pressures as (

    select
        issue_id,
        support_during,
        (support_before + 0.5) * periods_during
        * greatest(1.0, (other_during + 0.5) / ((other_before + 0.5) * periods_during)) as support_expected
    from beside

)

select
    issues.issue_id,
    cast(coalesce(support_during.feedback_count, 0) as bigint) as feedback_count,
    cast(coalesce(support_during.evidence, 0.0) as double) as evidence,
    cast(coalesce(affected.customers_affected, 0) as bigint) as customers_affected,
    cast(coalesce(affected.known_people, 0) as bigint) as known_people,
    cast(coalesce(affected.new_accounts, 0) as bigint) as new_accounts,
    {{ rounded('coalesce(affected.segment_weight, 0.0)') }} as segment_weight,
    {{ rounded('coalesce(affected.churn_value, 0.0)', 2) }} as churn_value,
    coalesce(support_during.support_count, 0.0) as support_count,
    (coalesce(support_during.support_count, 0.0) + 0.5)
    / greatest(1.0, {{ seconds_between('issues.first_tick', 'issues.ended_at') }} / 86400.0 + 1.0)
    / ((support_before.support_count + 0.5) / {{ var('evidence_days') }}.0) as support_ratio,
    coalesce(pressures.support_during, 0.0) as support_beside_count,
    coalesce({{ rounded('pressures.support_expected') }}, 0.0) as support_beside_expected
from {{ ref('int_issues') }} as issues
left join affected on issues.issue_id = affected.issue_id
left join support_during on issues.issue_id = support_during.issue_id
left join support_before on issues.issue_id = support_before.issue_id
left join pressures on issues.issue_id = pressures.issue_id

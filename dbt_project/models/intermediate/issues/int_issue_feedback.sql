-- Feedback that belongs to each issue: same product and type, counted from a day before the first elevated tick to
-- the last.
select
    issues.issue_id,
    feedback.feedback_id,
    feedback.person_key,
    feedback.customer_id,
    feedback.provenance,
    feedback.is_known_person,
    feedback.is_new_account,
    feedback.is_established,
    feedback.evidence_weight,
    feedback.channel,
    feedback.is_support,
    feedback.customer_segment,
    feedback.platform,
    feedback.country,
    feedback.app_version,
    -- From the source only: a text names the feature that its issue type is about (a failed login names the login).
    case when feedback.feature_source = 'source' then feedback.feature end as feature,
    feedback.rating,
    feedback.confidence,
    feedback.masked_text,
    feedback.occurred_at,
    feedback.counted_at
from {{ ref('int_issues') }} as issues
inner join {{ ref('int_feedback') }} as feedback
    on
        issues.product = feedback.product
        and issues.issue_type = feedback.issue_type
        and issues.first_tick - {{ days(1) }} < feedback.counted_at
        and issues.ended_at >= feedback.counted_at
        and feedback.is_counted is not false
        and feedback.counted_at > {{ history_from() }}

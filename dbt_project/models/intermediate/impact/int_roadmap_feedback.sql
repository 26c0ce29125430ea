-- Complaints of the rolling window and of the one before it, each with the feature that it names.
select
    feedback.feedback_id,
    feedback.product,
    feedback.issue_type,
    coalesce(feedback.feature, 'none') as feature,
    feedback.person_key,
    lower(coalesce(feedback.customer_segment, 'unknown')) as segment,
    feedback.is_support,
    feedback.counted_at,
    feedback.counted_at > {{ as_of() }} - {{ days(var('roadmap_days')) }} as is_now,
    cast(floor({{ seconds_between('feedback.counted_at', as_of()) }} / 604800.0) as int) as weeks_ago
from {{ ref('int_feedback') }} as feedback
inner join {{ ref('taxonomy') }} as taxonomy on feedback.issue_type = taxonomy.issue_type
where
    feedback.is_counted
    and taxonomy.actionable
    and feedback.counted_at > {{ as_of() }} - {{ days(2 * var('roadmap_days')) }}
    and feedback.counted_at <= {{ as_of() }}

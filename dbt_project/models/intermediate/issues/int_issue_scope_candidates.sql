-- Candidate scopes of an issue: platforms, countries, versions and features in its feedback. One explains the issue if
-- it holds three quarters of it or more, at odds at least four times those of the background. Background: for versions,
-- other feedback of the same time (a new version is everywhere after its release); for the rest, everything in the 28
-- days before.
with compared_feedback as (

    select
        issues.issue_id,
        feedback.platform,
        feedback.country,
        feedback.app_version,
        case when feedback.feature_source = 'source' then feedback.feature end as feature,
        feedback.counted_at > issues.first_tick - {{ days(1) }} as is_meanwhile,
        coalesce(feedback.issue_type = issues.issue_type, false) as is_same_type,
        false as is_member
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('int_feedback') }} as feedback
        on
            issues.product = feedback.product
            and issues.first_tick - {{ days(var('evidence_days') + 1) }} < feedback.counted_at
            and issues.ended_at >= feedback.counted_at
            and feedback.counted_at > {{ history_from() }}

    union all

    select
        issue_id,
        platform,
        country,
        app_version,
        feature,
        true as is_meanwhile,
        true as is_same_type,
        true as is_member
    from {{ ref('int_issue_feedback') }}

),

scoped as (

    {{ by_scope(
        'compared_feedback', ['issue_id', 'is_meanwhile', 'is_same_type', 'is_member'],
        kinds=['platform', 'country', 'app_version', 'feature']
    ) }}

),

counts as (

    select
        issue_id,
        scope_kind,
        scope_value,
        cast(count(*) filter (where is_member) as double) as feedback_count,
        cast(count(*) filter (
            where not is_member
            and case when scope_kind = 'app_version' then is_meanwhile and not is_same_type else not is_meanwhile end
        ) as double) as background_inside
    from scoped
    group by issue_id, scope_kind, scope_value

),

compared as (

    select
        *,
        sum(feedback_count) over (partition by issue_id, scope_kind) as all_feedback,
        sum(background_inside) over (partition by issue_id, scope_kind) as background_total
    from counts

),

measured as (

    select
        issue_id,
        scope_kind,
        scope_value,
        feedback_count,
        {{ rounded('feedback_count / all_feedback') }} as share,
        {{ rounded('background_inside / greatest(background_total, 1.0)') }} as background_share,
        {{ rounded(
            '((feedback_count + 0.5) / (all_feedback - feedback_count + 0.5))'
            ~ ' / ((background_inside + 0.5) / (background_total - background_inside + 0.5))'
        ) }} as odds_ratio
    from compared
    where feedback_count > 0

)

select
    *,
    feedback_count >= 5 and share >= 0.75 and odds_ratio >= 4.0 as explains_issue
from measured

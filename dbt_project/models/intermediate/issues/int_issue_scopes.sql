-- Where an issue sits: a platform, country, version or feature that holds three quarters of its feedback or more, and
-- whose odds are at least four times what they are in the background. Background: for versions, other feedback said
-- meanwhile (a new version is everywhere after its release); for the rest, everything said in the 28 days before.
with members as (

    select issue_id, 'platform' as scope_kind, platform as scope_value from {{ ref('int_issue_feedback') }}
    union all
    select issue_id, 'country' as scope_kind, country as scope_value from {{ ref('int_issue_feedback') }}
    union all
    select issue_id, 'app_version' as scope_kind, app_version as scope_value from {{ ref('int_issue_feedback') }}
    union all
    select issue_id, 'feature' as scope_kind, feature as scope_value from {{ ref('int_issue_feedback') }}

),

around as (

    select
        issues.issue_id,
        feedback.platform,
        feedback.country,
        feedback.app_version,
        feedback.feature,
        feedback.counted_at > issues.first_tick - interval '24' hour as is_meanwhile,
        coalesce(feedback.issue_type = issues.issue_type, false) as is_same_type
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('fct_feedback') }} as feedback
        on
            issues.product = feedback.product
            and issues.first_tick - interval '696' hour < feedback.counted_at
            and issues.ended_at >= feedback.counted_at
            and feedback.counted_at > {{ history_from() }}

),

background as (

    select issue_id, 'platform' as scope_kind, platform as scope_value from around
    where not is_meanwhile
    union all
    select issue_id, 'country' as scope_kind, country as scope_value from around
    where not is_meanwhile
    union all
    select issue_id, 'app_version' as scope_kind, app_version as scope_value from around
    where is_meanwhile and not is_same_type
    union all
    select issue_id, 'feature' as scope_kind, feature as scope_value from around
    where not is_meanwhile

),

member_counts as (

    select
        issue_id,
        scope_kind,
        scope_value,
        cast(count(*) as double) as inside,
        sum(cast(count(*) as double)) over (partition by issue_id, scope_kind) as total
    from members
    where scope_value is not null
    group by issue_id, scope_kind, scope_value

),

background_counts as (

    select
        issue_id,
        scope_kind,
        scope_value,
        cast(count(*) as double) as inside,
        sum(cast(count(*) as double)) over (partition by issue_id, scope_kind) as total
    from background
    where scope_value is not null
    group by issue_id, scope_kind, scope_value

),

background_totals as (

    select issue_id, scope_kind, max(total) as total
    from background_counts
    group by issue_id, scope_kind

),

compared as (

    select
        member_counts.issue_id,
        member_counts.scope_kind,
        member_counts.scope_value,
        member_counts.inside as feedback_count,
        member_counts.total as all_feedback,
        coalesce(background_counts.inside, 0.0) as background_inside,
        coalesce(background_totals.total, 0.0) as background_total
    from member_counts
    left join background_counts
        on
            member_counts.issue_id = background_counts.issue_id
            and member_counts.scope_kind = background_counts.scope_kind
            and member_counts.scope_value = background_counts.scope_value
    left join background_totals
        on
            member_counts.issue_id = background_totals.issue_id
            and member_counts.scope_kind = background_totals.scope_kind

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

)

select
    *,
    feedback_count >= 5 and share >= 0.75 and odds_ratio >= 4.0 as explains_issue
from measured

-- Feedback as evidence for and against each candidate. On its platform: the complaint rate of feedback that names its
-- version (in the source's column or in the text) against other versions. On other platforms: a rise of the complaint
-- there, which a release that never went there cannot explain.
with candidates as (

    select
        *,
        -- Members are counted from a day before the first elevated tick (int_issue_feedback).
        ({{ seconds_between('first_tick', 'ended_at') }} / 86400.0 + 1.0) / {{ var('evidence_days') }}.0
            as periods_during
    from {{ ref('int_release_candidates') }}

),

compared_feedback as (

    select
        candidates.issue_id,
        candidates.change_id,
        feedback.app_version = candidates.version as names_version,
        feedback.app_version <> candidates.version as names_another,
        coalesce(candidates.platform = feedback.platform, true) as is_on_platform,
        coalesce(candidates.platform <> feedback.platform, false) as is_off_platform,
        feedback.counted_at >= candidates.changed_at as is_after,
        coalesce(feedback.issue_type = candidates.issue_type, false) as is_complaint
    from candidates
    inner join {{ ref('int_feedback') }} as feedback
        on
            candidates.product = feedback.product
            and candidates.changed_at - {{ days(var('evidence_days')) }} < feedback.counted_at
            and candidates.ended_at >= feedback.counted_at
    where feedback.is_counted is not false and feedback.counted_at > {{ history_from() }}

),

counts as (

    select
        issue_id,
        change_id,
        cast(count(*) filter (where is_on_platform and names_version) as double) as version_feedback,
        cast(count(*) filter (where is_on_platform and names_version and is_complaint) as double) as version_complaints,
        cast(count(*) filter (where is_on_platform and names_another and is_after) as double) as beside_feedback,
        cast(
            count(*) filter (where is_on_platform and names_another and is_after and is_complaint) as double
        ) as beside_complaints,
        cast(count(*) filter (where is_on_platform and names_another) as double) as other_feedback,
        cast(count(*) filter (where is_on_platform and names_another and is_complaint) as double) as other_complaints,
        cast(count(*) filter (where is_on_platform and not is_after and is_complaint) as double) as before_on_platform,
        cast(count(*) filter (where is_off_platform and not is_after and is_complaint) as double) as before_off_platform
    from compared_feedback
    group by issue_id, change_id

),

named as (

    select
        candidates.issue_id,
        candidates.change_id,
        max(candidates.periods_during) as periods_during,
        cast(count(*) as double) as members,
        cast(count(*) filter (where members.app_version = candidates.version) as double) as members_naming,
        cast(count(*) filter (where members.app_version is not null) as double) as members_with_version,
        cast(count(*) filter (where members.platform = candidates.platform) as double) as members_on_platform,
        cast(count(*) filter (where members.platform <> candidates.platform) as double) as members_off_platform
    from candidates
    inner join {{ ref('int_issue_feedback') }} as members on candidates.issue_id = members.issue_id
    group by candidates.issue_id, candidates.change_id

),

rises as (

    select
        named.*,
        coalesce(counts.version_feedback, 0.0) as version_feedback,
        coalesce(counts.version_complaints, 0.0) as version_complaints,
        coalesce(counts.version_complaints, 0.0) + coalesce(counts.beside_complaints, 0.0) as complaints_of_versions,
        -- Share of the version in other feedback, one piece added, so that the estimate is never too low.
        (coalesce(counts.version_feedback - counts.version_complaints, 0.0) + 1.0)
        / (
            coalesce(counts.version_feedback - counts.version_complaints, 0.0)
            + coalesce(counts.beside_feedback - counts.beside_complaints, 0.0) + 1.0
        ) as share_of_version,
        -- Control: other versions at the same time; where they have too little feedback, other versions at any time.
        case
            when counts.beside_feedback >= 10 then counts.beside_feedback else counts.other_feedback
        end as elsewhere_feedback,
        case
            when counts.beside_feedback >= 10 then counts.beside_complaints else counts.other_complaints
        end as elsewhere_complaints,
        {{ surprise(
            'named.members_on_platform', 'coalesce(counts.before_on_platform, 0.0) * named.periods_during', '1.0'
        ) }} as surprise_on_platform,
        {{ surprise(
            'named.members_off_platform', 'coalesce(counts.before_off_platform, 0.0) * named.periods_during', '1.0'
        ) }} as surprise_off_platform
    from named
    left join counts on named.issue_id = counts.issue_id and named.change_id = counts.change_id

)

select
    issue_id,
    change_id,
    members,
    members_naming,
    members_with_version,
    version_feedback,
    version_complaints,
    -- Null without feedback on the version: half a count of nothing would read as 50 %.
    case
        when version_feedback > 0 then (version_complaints + 0.5) / (version_feedback + 1.0)
    end as complaint_rate_on_version,
    case
        when elsewhere_feedback > 0 then (elsewhere_complaints + 0.5) / (elsewhere_feedback + 1.0)
    end as complaint_rate_elsewhere,
    -- A change without a platform went to all platforms; feedback without one is not counted.
    case
        when members_on_platform + members_off_platform = 0 then 1.0
        else members_on_platform / (members_on_platform + members_off_platform)
    end as share_on_platform,
    -- A rise elsewhere within one standard deviation is chance.
    case
        when members_off_platform = 0 then 0.0
        else {{ rounded(
            'least(1.0, greatest(0.0, (surprise_off_platform - 1.0) / greatest(surprise_on_platform, 1.0)))'
        ) }}
    end as shared_rise,
    {{ rounded(log_e_value_of_share('version_complaints', 'complaints_of_versions', 'share_of_version')) }}
        as log_e_value
from rises

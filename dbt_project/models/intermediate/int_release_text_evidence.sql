-- What the feedback itself says of each candidate release: how much more often feedback that names its version
-- complains than feedback that names another version of the same platform, and how much of the issue names it.
with candidates as (

    select * from {{ ref('int_release_candidates') }}

),

around as (

    select
        candidates.issue_id,
        candidates.change_id,
        feedback.app_version = candidates.version as names_version,
        coalesce(feedback.issue_type = candidates.issue_type, false) as is_complaint
    from candidates
    inner join {{ ref('fct_feedback') }} as feedback
        on
            candidates.product = feedback.product
            and candidates.changed_at - interval '672' hour < feedback.counted_at
            and candidates.ended_at >= feedback.counted_at
            and coalesce(candidates.platform = feedback.platform, true)
    where candidates.version is not null and feedback.app_version is not null and feedback.is_spam is not true

),

rates as (

    select
        issue_id,
        change_id,
        cast(count(*) filter (where names_version) as double) as version_feedback,
        cast(count(*) filter (where names_version and is_complaint) as double) as version_complaints,
        cast(count(*) filter (where not names_version) as double) as other_feedback,
        cast(count(*) filter (where not names_version and is_complaint) as double) as other_complaints
    from around
    group by issue_id, change_id

),

named as (

    select
        candidates.issue_id,
        candidates.change_id,
        cast(count(*) as double) as members,
        cast(count(*) filter (where members.app_version = candidates.version) as double) as members_naming,
        cast(count(*) filter (where members.app_version is not null) as double) as members_with_version,
        cast(count(*) filter (where members.platform = candidates.platform) as double) as members_on_platform,
        cast(count(*) filter (where members.platform <> candidates.platform) as double) as members_off_platform
    from candidates
    inner join {{ ref('int_issue_feedback') }} as members on candidates.issue_id = members.issue_id
    group by candidates.issue_id, candidates.change_id

)

select
    named.issue_id,
    named.change_id,
    named.members,
    named.members_naming,
    named.members_with_version,
    coalesce(rates.version_feedback, 0.0) as version_feedback,
    coalesce(rates.version_complaints, 0.0) as version_complaints,
    -- Of what nobody mentions there is no rate: half a count of nothing would read as 50 %.
    case
        when rates.version_feedback > 0 then (rates.version_complaints + 0.5) / (rates.version_feedback + 1.0)
    end as complaint_rate_on_version,
    case
        when rates.other_feedback > 0 then (rates.other_complaints + 0.5) / (rates.other_feedback + 1.0)
    end as complaint_rate_elsewhere,
    -- A change without a platform went everywhere, and feedback without one may come from anywhere.
    case
        when named.members_on_platform + named.members_off_platform = 0 then 1.0
        else named.members_on_platform / (named.members_on_platform + named.members_off_platform)
    end as share_on_platform
from named
left join rates on named.issue_id = rates.issue_id and named.change_id = rates.change_id

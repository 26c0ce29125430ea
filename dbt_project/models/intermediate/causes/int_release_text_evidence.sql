-- Feedback as evidence for and against each candidate. On its platform: the complaint rate of feedback that names its
-- version (in the source's column or in the text) against other versions. On other platforms: a rise of the complaint
-- there, which a release that never went there cannot explain. Feedback weighs by its person and provenance.
with candidates as (

    select
        *,
        -- Members are counted from a day before the first elevated tick (int_issue_feedback).
        ({{ seconds_between('first_tick', 'ended_at') }} / 86400.0 + 1.0) / {{ var('evidence_days') }}.0
            as periods_during
    from {{ ref('int_release_candidates') }}

),

-- Versions that went out later to the same platform carry a bug on: they are no control.
successors as (

    select distinct
        candidates.issue_id,
        candidates.change_id,
        later.version
    from candidates
    inner join {{ ref('int_changes') }} as later
        on
            candidates.product = later.product
            and candidates.version <> later.version
            and candidates.changed_at < later.changed_at
            and candidates.ended_at >= later.changed_at
            and coalesce(candidates.platform = later.platform, true)
            and coalesce(candidates.service = later.service, true)

),

-- The feature as the source has it: a text names the feature that its issue type is about.
spoken as (

    select
        *,
        case when feature_source = 'source' then lower(feature) end as named_feature
    from {{ ref('int_feedback') }}
    where is_counted is not false and counted_at > {{ history_from() }}

),

compared_feedback as (

    select
        candidates.issue_id,
        candidates.change_id,
        -- A flag is named by its feature, and compared with the time before it: a feature has complaints of its own.
        case
            when candidates.feature is null then feedback.app_version = candidates.version
            else feedback.named_feature = lower(candidates.feature) and feedback.counted_at >= candidates.changed_at
        end as names_version,
        case
            when candidates.feature is null
                then feedback.app_version <> candidates.version and successors.version is null
            else feedback.named_feature = lower(candidates.feature) and feedback.counted_at < candidates.changed_at
        end as names_another,
        coalesce(candidates.platform = feedback.platform, true) as is_on_platform,
        coalesce(candidates.platform <> feedback.platform, false) as is_off_platform,
        feedback.counted_at >= candidates.changed_at as is_after,
        coalesce(feedback.issue_type = candidates.issue_type, false) as is_complaint,
        feedback.is_established,
        feedback.evidence_weight,
        feedback.evidence_weight * {{ provenance_weight('feedback.provenance') }} as weight
    from candidates
    cross join {{ ref('stg_playbook_settings') }} as settings
    inner join spoken as feedback
        on
            candidates.product = feedback.product
            and candidates.changed_at - {{ days(var('evidence_days')) }} < feedback.counted_at
            and candidates.ended_at >= feedback.counted_at
    left join successors
        on
            candidates.issue_id = successors.issue_id
            and candidates.change_id = successors.change_id
            and feedback.app_version = successors.version

),

counts as (

    select
        issue_id,
        change_id,
        {%- for name, condition in {
            'version': 'is_on_platform and names_version',
            'beside': 'is_on_platform and names_another and is_after',
            'past': 'is_on_platform and names_another and not is_after',
        }.items() %}
            coalesce(sum(weight) filter (where {{ condition }}), 0.0) as {{ name }}_weight,
            coalesce(sum(weight) filter (where {{ condition }} and is_complaint), 0.0) as {{ name }}_complaint_weight,
        {%- endfor %}
        coalesce(sum(weight) filter (where is_on_platform and not is_after and is_complaint), 0.0)
            as before_on_platform,
        coalesce(sum(weight) filter (where is_off_platform and not is_after and is_complaint), 0.0)
            as before_off_platform,
        coalesce(sum(evidence_weight) filter (
            where is_off_platform and not is_after and is_complaint and is_established
        ), 0.0) as known_before_off_platform
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
        {%- for name, condition in {
            'members': 'true',
            'naming': 'members.app_version = candidates.version',
            'on_platform': 'members.platform = candidates.platform',
            'off_platform': 'members.platform <> candidates.platform',
        }.items() %}
            coalesce(
                sum(members.evidence_weight * {{ provenance_weight('members.provenance') }}) filter (
                    where {{ condition }}
                ),
                0.0
            ) as weight_{{ name }},
        {%- endfor %}
        coalesce(sum(members.evidence_weight) filter (
            where members.platform <> candidates.platform and members.is_established
        ), 0.0) as known_off_platform
    from candidates
    inner join {{ ref('int_issue_feedback') }} as members on candidates.issue_id = members.issue_id
    cross join {{ ref('stg_playbook_settings') }} as settings
    group by candidates.issue_id, candidates.change_id

),

rises as (

    select
        named.*,
        coalesce(counts.version_weight, 0.0) as version_weight,
        coalesce(counts.version_complaint_weight, 0.0) as version_complaint_weight,
        -- Control: other versions at the same time. Below a weight of a hundred of them, earlier feedback on other
        -- versions fills up to that, at half its weight at most: what is usual may have changed since.
        coalesce(counts.beside_weight, 0.0) as beside_weight,
        coalesce(counts.beside_complaint_weight, 0.0) as beside_complaint_weight,
        coalesce(counts.past_weight, 0.0) as past_weight,
        coalesce(counts.past_complaint_weight, 0.0) as past_complaint_weight,
        coalesce(least(
            0.5, greatest(0.0, 100.0 - counts.beside_weight) / nullif(counts.past_weight, 0.0)
        ), 0.0) as share_of_past,
        {{ surprise(
            'named.weight_on_platform', 'coalesce(counts.before_on_platform, 0.0) * named.periods_during', '1.0'
        ) }} as surprise_on_platform,
        {{ surprise(
            'named.weight_off_platform', 'coalesce(counts.before_off_platform, 0.0) * named.periods_during', '1.0'
        ) }} as surprise_off_platform,
        -- Half more than before is innocent, and so is half a complaint.
        1.5 * (coalesce(counts.known_before_off_platform, 0.0) + 0.5) * named.periods_during as known_expected_off
    from named
    left join counts on named.issue_id = counts.issue_id and named.change_id = counts.change_id

),

controlled as (

    select
        *,
        beside_weight + share_of_past * past_weight as elsewhere_weight,
        beside_complaint_weight + share_of_past * past_complaint_weight as elsewhere_complaint_weight
    from rises

)

select
    issue_id,
    change_id,
    members,
    members_naming,
    members_with_version,
    weight_members,
    weight_naming,
    version_weight,
    -- Null without feedback on the version: half a count of nothing would read as 50 %.
    case
        when version_weight > 0 then (version_complaint_weight + 0.5) / (version_weight + 1.0)
    end as complaint_rate_on_version,
    case
        when elsewhere_weight > 0 then (elsewhere_complaint_weight + 0.5) / (elsewhere_weight + 1.0)
    end as complaint_rate_elsewhere,
    elsewhere_weight as control_weight,
    case when elsewhere_weight > 0 then share_of_past * past_weight / elsewhere_weight end as control_past_share,
    -- A change without a platform went to all platforms; feedback without one is not counted.
    case
        when weight_on_platform + weight_off_platform = 0 then 1.0
        else weight_on_platform / (weight_on_platform + weight_off_platform)
    end as share_on_platform,
    -- A rise elsewhere within one standard deviation is chance.
    case
        when weight_off_platform = 0 then 0.0
        else {{ rounded(
            'least(1.0, greatest(0.0, (surprise_off_platform - 1.0) / greatest(surprise_on_platform, 1.0)))'
        ) }}
    end as shared_rise,
    {{ rounded(log_e_value_of_count('known_off_platform', 'known_expected_off', '1.0')) }} as log_e_value_elsewhere
from controlled

with weights as (

    select
        max(case when term = 'intercept' then weight end) as intercept,
        max(case when term = 'timing' then weight end) as w_timing,
        max(case when term = 'version_rate' then weight end) as w_version_rate,
        max(case when term = 'version_named' then weight end) as w_version_named,
        max(case when term = 'technical' then weight end) as w_technical,
        max(case when term = 'scope_contradiction' then weight end) as w_scope_contradiction
    from {{ ref('release_evidence_weights') }}

),

evidence as (

    select
        candidates.issue_id,
        candidates.change_id,
        candidates.change_kind,
        candidates.product,
        candidates.version,
        candidates.platform,
        candidates.changed_at,
        candidates.hours_to_onset,
        text_evidence.members,
        text_evidence.members_naming,
        text_evidence.members_with_version,
        text_evidence.version_feedback,
        text_evidence.complaint_rate_on_version,
        text_evidence.complaint_rate_elsewhere,
        technical.error_rate_after,
        technical.error_rate_before,
        exp(-candidates.hours_to_onset / 72.0) as timing,
        -- Ten pieces of feedback naming the version make the rate fully credible; fewer count in proportion.
        coalesce(
            {{ doublings('text_evidence.complaint_rate_on_version / text_evidence.complaint_rate_elsewhere') }}
            * least(1.0, text_evidence.version_feedback / 10.0), 0.0
        ) as version_rate,
        coalesce(text_evidence.members_naming / text_evidence.members, 0.0) as version_named,
        coalesce(
            {{ doublings('technical.error_rate_after / technical.error_rate_before') }}
            * least(1.0, technical.errors_after / 20.0), 0.0
        ) as technical,
        case
            when scope.scope_country is not null then 1.0
            when scope.scope_platform is not null and candidates.platform <> scope.scope_platform then 1.0
            when text_evidence.share_on_platform < 0.3 then 1.0
            else 0.0
        end as scope_contradiction
    from {{ ref('int_release_candidates') }} as candidates
    inner join {{ ref('int_issue_scope') }} as scope on candidates.issue_id = scope.issue_id
    left join {{ ref('int_release_text_evidence') }} as text_evidence
        on candidates.issue_id = text_evidence.issue_id and candidates.change_id = text_evidence.change_id
    left join {{ ref('int_release_technical_evidence') }} as technical
        on candidates.issue_id = technical.issue_id and candidates.change_id = technical.change_id

),

scored as (

    select
        evidence.*,
        {{ logistic(
            'weights.intercept + weights.w_timing * evidence.timing + weights.w_version_rate * evidence.version_rate'
            ~ ' + weights.w_version_named * evidence.version_named + weights.w_technical * evidence.technical'
            ~ ' + weights.w_scope_contradiction * evidence.scope_contradiction'
        ) }} as confidence
    from evidence
    cross join weights

)

select
    scored.issue_id,
    scored.change_id,
    scored.change_kind,
    scored.product,
    scored.version,
    scored.platform,
    scored.changed_at,
    cast(scored.hours_to_onset as double) as hours_to_onset,
    cast(coalesce(scored.members, 0) as bigint) as issue_feedback,
    cast(coalesce(scored.members_naming, 0) as bigint) as issue_feedback_naming_version,
    cast(coalesce(scored.members_with_version, 0) as bigint) as issue_feedback_with_version,
    cast(scored.complaint_rate_on_version as double) as complaint_rate_on_version,
    cast(scored.complaint_rate_elsewhere as double) as complaint_rate_elsewhere,
    cast(scored.error_rate_after as double) as error_rate_after,
    cast(scored.error_rate_before as double) as error_rate_before,
    cast(scored.timing as double) as timing,
    cast(scored.version_rate as double) as version_rate,
    cast(scored.version_named as double) as version_named,
    cast(scored.technical as double) as technical,
    cast(scored.scope_contradiction as double) as scope_contradiction,
    cast(scored.confidence as double) as confidence,
    case
        when coalesce(scored.members, 0) < settings.min_evidence then 'insufficient_data'
        when scored.scope_contradiction = 1.0 and scored.confidence < settings.regression_confidence then 'no_regression'
        when scored.confidence <= settings.no_regression_confidence then 'no_regression'
        when scored.confidence >= settings.regression_confidence then 'regression'
        else 'inconclusive'
    end as verdict,
    cast(row_number() over (
        partition by scored.issue_id order by scored.confidence desc, scored.changed_at desc, scored.change_id asc
    ) as bigint) as candidate_rank
from scored
cross join {{ ref('stg_playbook_settings') }} as settings

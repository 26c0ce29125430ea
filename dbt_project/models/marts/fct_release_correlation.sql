{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

with candidates as (

    select * from {{ ref('int_release_candidates') }}

),

settings as (

    select * from {{ ref('stg_playbook_settings') }}

),

weights as (

    select
        max(case when term = 'intercept' then weight end) as intercept,
        max(case when term = 'timing' then weight end) as w_timing,
        max(case when term = 'version_rate' then weight end) as w_version_rate,
        max(case when term = 'version_named' then weight end) as w_version_named,
        max(case when term = 'technical' then weight end) as w_technical,
        max(case when term = 'shared_rise' then weight end) as w_shared_rise,
        max(case when term = 'scope_contradiction' then weight end) as w_scope_contradiction,
        max(case when term = 'alternative' then weight end) as alternative,
        max(case when term = 'campaign' then weight end) as w_campaign,
        max(case when term = 'crowd' then weight end) as w_crowd,
        max(case when term = 'outage' then weight end) as w_outage,
        max(case when term = 'country' then weight end) as w_country,
        max(case when term = 'copies' then weight end) as w_copies
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
        cast(coalesce(text_evidence.members, 0) as bigint) as issue_feedback,
        cast(coalesce(text_evidence.members_naming, 0) as bigint) as issue_feedback_naming_version,
        cast(coalesce(text_evidence.members_with_version, 0) as bigint) as issue_feedback_with_version,
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
        coalesce(text_evidence.shared_rise, 0.0) as shared_rise,
        technical.error_ratio_elsewhere,
        -- Twenty errors make the error rate fully credible; what rose elsewhere as well is taken off.
        coalesce(
            {{ doublings(
                'technical.error_rate_after / technical.error_rate_before'
                ~ ' / greatest(1.0, technical.error_ratio_elsewhere)'
            ) }}
            * least(1.0, technical.errors_after / 20.0), 0.0
        ) as technical,
        case
            when places.scope_country is not null then 1.0
            when places.scope_platform is not null and candidates.platform <> places.scope_platform then 1.0
            when text_evidence.share_on_platform < 0.3 then 1.0
            else 0.0
        end as scope_contradiction,
        -- The mean of e-values is one, however they depend on each other; where there is no evidence it is 1.
        ln((exp(coalesce(text_evidence.log_e_value, 0.0)) + exp(coalesce(technical.log_e_value, 0.0))) / 2.0)
            as log_e_value
    from candidates
    inner join {{ ref('int_issue_scope') }} as places on candidates.issue_id = places.issue_id
    left join {{ ref('int_release_text_evidence') }} as text_evidence
        on candidates.issue_id = text_evidence.issue_id and candidates.change_id = text_evidence.change_id
    left join {{ ref('int_release_technical_evidence') }} as technical
        on candidates.issue_id = technical.issue_id and candidates.change_id = technical.change_id

),

changes as (

    select
        evidence.*,
        cast(null as double) as alternative_evidence,
        true as is_change,
        weights.intercept + weights.w_timing * evidence.timing + weights.w_version_rate * evidence.version_rate
        + weights.w_version_named * evidence.version_named + weights.w_technical * evidence.technical
        + weights.w_shared_rise * evidence.shared_rise
        + weights.w_scope_contradiction * evidence.scope_contradiction as log_odds
    from evidence
    cross join weights

),

alternatives as (

    select
        alternatives.issue_id,
        alternatives.alternative_id as change_id,
        alternatives.kind as change_kind,
        issues.product,
        alternatives.since as changed_at,
        alternatives.evidence as alternative_evidence,
        false as is_change,
        weights.alternative
        + case alternatives.kind
            when 'campaign' then weights.w_campaign
            when 'crowd' then weights.w_crowd
            when 'outage' then weights.w_outage
            when 'country' then weights.w_country
            when 'copies' then weights.w_copies
        end * alternatives.evidence as log_odds
    from {{ ref('int_issue_alternatives') }} as alternatives
    inner join {{ ref('int_issues') }} as issues on alternatives.issue_id = issues.issue_id
    cross join weights

),

competitors as (

    select
        issue_id,
        change_id,
        change_kind,
        product,
        version,
        platform,
        changed_at,
        hours_to_onset,
        issue_feedback,
        issue_feedback_naming_version,
        issue_feedback_with_version,
        complaint_rate_on_version,
        complaint_rate_elsewhere,
        error_rate_after,
        error_rate_before,
        error_ratio_elsewhere,
        timing,
        version_rate,
        version_named,
        technical,
        shared_rise,
        scope_contradiction,
        log_e_value,
        alternative_evidence,
        is_change,
        log_odds
    from changes

    union all

    select
        issue_id,
        change_id,
        change_kind,
        product,
        cast(null as {{ dbt.type_string() }}) as version,
        cast(null as {{ dbt.type_string() }}) as platform,
        changed_at,
        cast(null as double) as hours_to_onset,
        cast(null as bigint) as issue_feedback,
        cast(null as bigint) as issue_feedback_naming_version,
        cast(null as bigint) as issue_feedback_with_version,
        cast(null as double) as complaint_rate_on_version,
        cast(null as double) as complaint_rate_elsewhere,
        cast(null as double) as error_rate_after,
        cast(null as double) as error_rate_before,
        cast(null as double) as error_ratio_elsewhere,
        cast(null as double) as timing,
        cast(null as double) as version_rate,
        cast(null as double) as version_named,
        cast(null as double) as technical,
        cast(null as double) as shared_rise,
        cast(null as double) as scope_contradiction,
        cast(null as double) as log_e_value,
        alternative_evidence,
        is_change,
        log_odds
    from alternatives

),

-- Rounded before it is compared and ranked, so that what people read is what decided.
scored as (

    select
        *,
        {{ rounded('exp(log_odds) / (1.0 + sum(exp(log_odds)) over (partition by issue_id))') }} as confidence
    from competitors

),

judged as (

    select
        scored.*,
        case
            when not scored.is_change then 'no_regression'
            when scored.issue_feedback < settings.min_evidence then 'insufficient_data'
            when scored.scope_contradiction = 1.0 and scored.confidence < settings.regression_confidence
                then 'no_regression'
            when scored.confidence <= settings.no_regression_confidence then 'no_regression'
            when scored.confidence >= settings.regression_confidence then 'regression'
            else 'inconclusive'
        end as verdict,
        row_number() over (
            partition by scored.issue_id, scored.is_change
            order by scored.confidence desc, scored.changed_at desc, scored.change_id asc
        ) as candidate_rank
    from scored
    cross join settings

)

select
    issue_id,
    change_id,
    change_kind,
    product,
    version,
    platform,
    changed_at,
    {{ rounded('hours_to_onset') }} as hours_to_onset,
    issue_feedback,
    issue_feedback_naming_version,
    issue_feedback_with_version,
    {{ rounded('complaint_rate_on_version') }} as complaint_rate_on_version,
    {{ rounded('complaint_rate_elsewhere') }} as complaint_rate_elsewhere,
    {{ rounded('error_rate_after') }} as error_rate_after,
    {{ rounded('error_rate_before') }} as error_rate_before,
    {{ rounded('error_ratio_elsewhere') }} as error_ratio_elsewhere,
    {{ rounded('timing') }} as timing,
    {{ rounded('version_rate') }} as version_rate,
    {{ rounded('version_named') }} as version_named,
    {{ rounded('technical') }} as technical,
    {{ rounded('shared_rise') }} as shared_rise,
    cast(scope_contradiction as double) as scope_contradiction,
    {{ rounded('log_e_value') }} as log_e_value,
    alternative_evidence,
    {{ rounded('log_odds') }} as log_odds,
    confidence,
    verdict,
    is_change,
    cast(candidate_rank as bigint) as candidate_rank
from judged

-- Terms of the evidence for and against each explanation: a row for each weight of the seed release_evidence_weights
-- that applies to it. A new term is a row of the seed and a `when` here.
with measured as (

    select
        explanations.issue_id,
        explanations.change_id,
        explanations.change_kind,
        explanations.is_change,
        candidates.hours_to_onset,
        candidates.hours_after_rise,
        candidates.serves_the_step,
        explanations.alternative_evidence,
        explanations.platform,
        scope.scope_country,
        scope.scope_platform,
        text_evidence.weight_members,
        text_evidence.weight_naming,
        text_evidence.version_weight,
        text_evidence.complaint_rate_on_version,
        text_evidence.complaint_rate_elsewhere,
        text_evidence.share_on_platform,
        text_evidence.shared_rise,
        technical.errors_credible,
        technical.error_rate_credible,
        technical.error_rate_before,
        technical.error_ratio_elsewhere,
        shifts.shift,
        shifts.shift_elsewhen,
        shifts.unmoved,
        shifts.recovered
    from {{ ref('int_issue_explanations') }} as explanations
    inner join {{ ref('int_issue_scope') }} as scope on explanations.issue_id = scope.issue_id
    left join {{ ref('int_release_text_evidence') }} as text_evidence
        on explanations.issue_id = text_evidence.issue_id and explanations.change_id = text_evidence.change_id
    left join {{ ref('int_release_candidates') }} as candidates
        on explanations.issue_id = candidates.issue_id and explanations.change_id = candidates.change_id
    left join {{ ref('int_release_technical_evidence') }} as technical
        on explanations.issue_id = technical.issue_id and explanations.change_id = technical.change_id
    left join {{ ref('int_release_shifts') }} as shifts
        on explanations.issue_id = shifts.issue_id and explanations.change_id = shifts.change_id

),

valued as (

    select
        measured.issue_id,
        measured.change_id,
        weights.term,
        weights.weight,
        weights.meaning,
        cast(case
            when weights.term in ('intercept', 'alternative') then 1.0
            when weights.term = measured.change_kind then measured.alternative_evidence
            -- Full inside the uncertainty of the onset, from the first complaint to the rise; it fades on both sides,
            -- and faster for what came after.
            when weights.term = 'timing'
                then exp(
                    -greatest(0.0, measured.hours_to_onset) / {{ var('fading_hours') }}.0
                    - greatest(0.0, measured.hours_after_rise) / 6.0
                )
            -- The rate counts in full from a weight of ten on that names the version, else in proportion.
            when weights.term = 'version_rate'
                then coalesce(
                    {{ doublings('measured.complaint_rate_on_version / measured.complaint_rate_elsewhere') }}
                    * least(1.0, measured.version_weight / 10.0), 0.0
                )
            -- So does the share that names it, from half of that on.
            when weights.term = 'version_named'
                then coalesce(
                    measured.weight_naming / nullif(measured.weight_members, 0.0)
                    * least(1.0, measured.weight_naming / 5.0), 0.0
                )
            -- The rise beyond that elsewhere counts in full from twenty credible errors on, else in proportion.
            when weights.term = 'technical'
                then coalesce(
                    {{ doublings(
                        'measured.error_rate_credible / measured.error_rate_before'
                        ~ ' / greatest(1.0, measured.error_ratio_elsewhere)'
                    ) }}
                    * least(1.0, measured.errors_credible / 20.0), 0.0
                )
            when weights.term in ('shift', 'shift_elsewhen', 'recovered')
                then coalesce(
                    case weights.term
                        when 'shift' then measured.shift
                        when 'recovered' then measured.recovered
                        else measured.shift_elsewhen
                    end, 0.0
                )
            when weights.term = 'unmoved' then coalesce(measured.unmoved, 0.0)
            when weights.term = 'other_service' then case when measured.serves_the_step is false then 1.0 else 0.0 end
            when weights.term = 'shared_rise' then coalesce(measured.shared_rise, 0.0)
            when weights.term = 'scope_contradiction'
                then case
                    when measured.scope_country is not null then 1.0
                    when measured.platform <> measured.scope_platform and measured.share_on_platform < 0.5 then 1.0
                    when measured.share_on_platform < 0.3 then 1.0
                    else 0.0
                end
        end as double) as value
    from measured
    inner join {{ ref('release_evidence_weights') }} as weights
        on
            measured.change_kind = weights.explanation
            or case when measured.is_change then 'change' else 'alternative' end = weights.explanation

)

select
    issue_id,
    change_id,
    term,
    value,
    cast(weight as double) as weight,
    -- Plus zero turns -0.0 into 0.0.
    weight * value + 0.0 as contribution,
    meaning
from valued

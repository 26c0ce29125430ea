-- Explanations of each issue with the probability of being the cause, and the verdict. A multinomial logit: the terms
-- sum to log-odds; all explanations of an issue, and something unknown, share one probability.
{%- set rates = [
    'complaint_rate_on_version', 'complaint_rate_elsewhere', 'error_rate_after', 'error_rate_before',
    'error_ratio_elsewhere', 'control_weight', 'control_past_share'
] %}
{%- set counts = {
    'issue_feedback': 'members',
    'issue_feedback_naming_version': 'members_naming',
    'issue_feedback_with_version': 'members_with_version'
} %}
{%- set strengths = [
    'log_e_value', 'text_log_e_value', 'technical_log_e_value', 'business_log_e_value', 'contrary_log_e_value'
] %}
{%- set costs = ['persons_to_forge', 'strangers_to_forge', 'requests_to_forge', 'completions_to_forge'] %}
{%- set seen = [
    'known_complaints', 'known_complaints_naming', 'successes_after', 'successes_expected', 'completed_after',
    'completed_expected'
] %}
{%- set shown = [
    'timing', 'version_rate', 'version_named', 'technical', 'shift', 'shift_elsewhen', 'unmoved', 'recovered',
    'other_service', 'shared_rise', 'scope_contradiction'
] %}

with terms as (

    select
        issue_id,
        change_id,
        {%- for term in shown %}
            max(case when term = '{{ term }}' then value end) as {{ term }},
        {%- endfor %}
        sum(contribution) as log_odds,
        -- Without what is said elsewhere: anybody can complain there, too. Nor does a country compete, which is the
        -- same.
        sum(case when term in ('shared_rise', 'scope_contradiction') then 0.0 else contribution end) as log_odds_here
    from {{ ref('int_release_terms') }}
    group by issue_id, change_id

),

-- Rounded before comparing and ranking: the value that people read is the value that decided.
scored as (

    select
        explanations.*,
        terms.log_odds,
        {%- for term in shown %}
            terms.{{ term }},
        {%- endfor %}
        {{ rounded(
            'exp(terms.log_odds) / (1.0 + sum(exp(terms.log_odds)) over (partition by explanations.issue_id))'
        ) }} as confidence,
        {{ rounded(
            'exp(terms.log_odds_here) / (1.0'
            ~ ' + sum(case when explanations.change_kind = \'country\' then 0.0 else exp(terms.log_odds) end)'
            ~ ' over (partition by explanations.issue_id) - exp(terms.log_odds) + exp(terms.log_odds_here))'
        ) }} as confidence_here,
        {%- for count, members in counts.items() %}
            case when explanations.is_change then coalesce(text_evidence.{{ members }}, 0) end as {{ count }},
        {%- endfor %}
        text_evidence.weight_members,
        text_evidence.weight_naming,
        text_evidence.complaint_rate_on_version,
        text_evidence.complaint_rate_elsewhere,
        text_evidence.version_weight,
        text_evidence.control_weight,
        text_evidence.control_past_share,
        candidates.hours_after_rise,
        shifts.shift_measure,
        shifts.shift_ratio,
        shifts.shifted_at,
        technical.error_rate_after,
        technical.error_rate_before,
        technical.error_ratio_elsewhere,
        technical.is_unmoved,
        strength.text_log_e_value,
        strength.technical_log_e_value,
        strength.business_log_e_value,
        strength.contrary_log_e_value,
        strength.log_e_value,
        strength.strong_signals,
        strength.strong_origins,
    {%- for cost in costs + seen %}
        strength.{{ cost }}
        {{- ',' if not loop.last }}
    {%- endfor %}
    from {{ ref('int_issue_explanations') }} as explanations
    inner join terms on explanations.issue_id = terms.issue_id and explanations.change_id = terms.change_id
    left join {{ ref('int_release_text_evidence') }} as text_evidence
        on explanations.issue_id = text_evidence.issue_id and explanations.change_id = text_evidence.change_id
    left join {{ ref('int_release_candidates') }} as candidates
        on explanations.issue_id = candidates.issue_id and explanations.change_id = candidates.change_id
    left join {{ ref('int_release_shifts') }} as shifts
        on explanations.issue_id = shifts.issue_id and explanations.change_id = shifts.change_id
    left join {{ ref('int_release_technical_evidence') }} as technical
        on explanations.issue_id = technical.issue_id and explanations.change_id = technical.change_id
    left join {{ ref('int_release_strength') }} as strength
        on explanations.issue_id = strength.issue_id and explanations.change_id = strength.change_id

),

-- What was measured and speaks against a change being the cause: without any of it nothing clears it.
weighed as (

    select
        *,
        -- The last line: it came after the rise had begun, or a week before.
        coalesce(scope_contradiction >= 1.0, false)
        or coalesce(shared_rise >= 0.25, false)
        or coalesce(greatest(shift_elsewhen, recovered, unmoved) >= 0.5, false)
        or coalesce(error_ratio_elsewhere >= 1.5 and technical < 0.2, false)
        -- Errors do not show every fault of an app: where its version is complained of more, they clear nothing.
        or coalesce(is_unmoved and version_rate < 0.2, false)
        or coalesce(
            version_weight >= 10.0 and control_weight >= 10.0
            and complaint_rate_on_version < 1.25 * complaint_rate_elsewhere, false
        )
        or coalesce(hours_after_rise > 6.0 or hours_to_onset > 168.0, false) as speaks_against,
        sum(confidence) over (partition by issue_id) - confidence as confidence_of_others
    from scored

),

judged as (

    select
        scored.*,
        case
            when not scored.is_change then 'no_regression'
            -- Few complaints are enough where telemetry speaks for the change.
            when
                scored.issue_feedback < settings.min_evidence
                and coalesce(greatest(scored.technical, scored.shift), 0.0) < 0.5
                then 'insufficient_data'
            -- A handful of strangers names no change: by words alone, those with its version must weigh half of what is
            -- asked for.
            when
                scored.confidence >= settings.regression_confidence
                and (
                    coalesce(greatest(scored.technical, scored.shift), 0.0) >= 0.2
                    or coalesce(scored.weight_naming >= 0.5 * settings.min_evidence, true)
                )
                then 'regression'
            when
                coalesce(scored.scope_contradiction, 0.0) < 1.0
                and scored.confidence > settings.no_regression_confidence
                then 'inconclusive'
            -- A clearing needs as much as a blaming: what a strong signal points to, or what only complaints elsewhere
            -- speak against, is cleared by established customers elsewhere, not by strangers.
            when scored.weight_members < settings.min_evidence then 'inconclusive'
            when
                (scored.strong_signals > 0 or scored.confidence_here > settings.no_regression_confidence)
                and coalesce(scored.contrary_log_e_value, 0.0) < -ln(settings.alone_alpha)
                then 'inconclusive'
            -- Missing evidence is not innocence. Another explanation as likely as a named one speaks against it.
            when not scored.speaks_against and scored.confidence_of_others < settings.regression_confidence
                then 'inconclusive'
            else 'no_regression'
        end as verdict
    from weighed as scored
    cross join {{ ref('stg_playbook_settings') }} as settings

)

select
    judged.issue_id,
    judged.change_id,
    judged.change_kind,
    judged.product,
    judged.version,
    judged.platform,
    judged.changed_at,
    {{ rounded('judged.hours_to_onset') }} as hours_to_onset,
    {%- for count in counts %}
        cast(judged.{{ count }} as bigint) as {{ count }},
    {%- endfor %}
    {%- for rate in rates + shown + strengths %}
        {{ rounded('judged.' ~ rate) }} as {{ rate }},
    {%- endfor %}
    cast(judged.strong_signals as bigint) as strong_signals,
    cast(judged.strong_origins as bigint) as strong_origins,
    {%- for cost in costs %}
        cast(ceil(judged.{{ cost }}) as bigint) as {{ cost }},
    {%- endfor %}
    {%- for count in seen %}
        cast(round(judged.{{ count }}) as bigint) as {{ count }},
    {%- endfor %}
    judged.shift_measure,
    judged.shift_ratio,
    judged.shifted_at,
    judged.alternative_evidence,
    {{ rounded('judged.log_odds') }} as log_odds,
    judged.confidence,
    judged.verdict,
    judged.is_change,
    -- What is open comes before what is cleared.
    cast(row_number() over (
        partition by judged.issue_id, judged.is_change
        order by
            case when judged.verdict = 'no_regression' then 1 else 0 end asc,
            judged.confidence desc, judged.changed_at desc, judged.change_id asc
    ) as bigint) as candidate_rank
from judged

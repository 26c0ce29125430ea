-- Explanations of each issue with the probability of being the cause, and the verdict. A multinomial logit: the terms
-- sum to log-odds; all explanations of an issue, and something unknown, share one probability.
{%- set rates = [
    'complaint_rate_on_version', 'complaint_rate_elsewhere', 'error_rate_after', 'error_rate_before',
    'error_ratio_elsewhere'
] %}
{%- set counts = {
    'issue_feedback': 'members',
    'issue_feedback_naming_version': 'members_naming',
    'issue_feedback_with_version': 'members_with_version'
} %}
{%- set shown = ['timing', 'version_rate', 'version_named', 'technical', 'shared_rise', 'scope_contradiction'] %}

with terms as (

    select
        issue_id,
        change_id,
        {%- for term in shown %}
            max(case when term = '{{ term }}' then value end) as {{ term }},
        {%- endfor %}
        sum(contribution) as log_odds
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
        {%- for count, members in counts.items() %}
            case when explanations.is_change then coalesce(text_evidence.{{ members }}, 0) end as {{ count }},
        {%- endfor %}
        text_evidence.complaint_rate_on_version,
        text_evidence.complaint_rate_elsewhere,
        technical.error_rate_after,
        technical.error_rate_before,
        technical.error_ratio_elsewhere,
        -- The mean of e-values is an e-value even if they depend on each other; without evidence it is 1.
        case
            when explanations.is_change
                then ln(
                    (exp(coalesce(text_evidence.log_e_value, 0.0)) + exp(coalesce(technical.log_e_value, 0.0))) / 2.0
                )
        end as log_e_value
    from {{ ref('int_issue_explanations') }} as explanations
    inner join terms on explanations.issue_id = terms.issue_id and explanations.change_id = terms.change_id
    left join {{ ref('int_release_text_evidence') }} as text_evidence
        on explanations.issue_id = text_evidence.issue_id and explanations.change_id = text_evidence.change_id
    left join {{ ref('int_release_technical_evidence') }} as technical
        on explanations.issue_id = technical.issue_id and explanations.change_id = technical.change_id

)

select
    scored.issue_id,
    scored.change_id,
    scored.change_kind,
    scored.product,
    scored.version,
    scored.platform,
    scored.changed_at,
    {{ rounded('scored.hours_to_onset') }} as hours_to_onset,
    {%- for count in counts %}
        cast(scored.{{ count }} as bigint) as {{ count }},
    {%- endfor %}
    {%- for rate in rates + shown + ['log_e_value'] %}
        {{ rounded('scored.' ~ rate) }} as {{ rate }},
    {%- endfor %}
    scored.alternative_evidence,
    {{ rounded('scored.log_odds') }} as log_odds,
    scored.confidence,
    case
        when not scored.is_change then 'no_regression'
        when scored.issue_feedback < settings.min_evidence then 'insufficient_data'
        when scored.scope_contradiction = 1.0 and scored.confidence < settings.regression_confidence
            then 'no_regression'
        when scored.confidence <= settings.no_regression_confidence then 'no_regression'
        when scored.confidence >= settings.regression_confidence then 'regression'
        else 'inconclusive'
    end as verdict,
    scored.is_change,
    cast(row_number() over (
        partition by scored.issue_id, scored.is_change
        order by scored.confidence desc, scored.changed_at desc, scored.change_id asc
    ) as bigint) as candidate_rank
from scored
cross join {{ ref('stg_playbook_settings') }} as settings

-- Strength of each signal that points to a candidate, on its own, and the provenance that it comes from. Text is the
-- word of persons whom the company knows; technical and business count as their source does (server or client).
with joined as (

    select
        candidates.issue_id,
        candidates.change_id,
        coalesce(voices.log_e_value, 0.0) as text_log_e_value,
        coalesce(technical.log_e_value, 0.0) as technical_log_e_value,
        -- The funnel knows platforms only: where errors by version speak against the change, it does not speak for it.
        case
            when technical.errors_log_e_value <= 0 then 0.0
            else coalesce(business.log_e_value, 0.0)
        end as business_log_e_value,
        coalesce(text_evidence.log_e_value_elsewhere, 0.0) as contrary_log_e_value,
        technical.provenance as technical_provenance,
        business.provenance as business_provenance,
        -ln(settings.alone_alpha) as strong_from,
        voices.complaints_naming as persons_to_forge,
        text_evidence.weight_naming / nullif(settings.weight_open_web, 0.0) as strangers_to_forge,
        technical.requests_to_forge,
        business.completions_to_forge,
        voices.complaints as known_complaints,
        voices.complaints_naming as known_complaints_naming,
        technical.successes_after,
        technical.successes_expected,
        business.completed_after,
        business.completed_expected
    from {{ ref('int_release_candidates') }} as candidates
    left join {{ ref('int_release_text_evidence') }} as text_evidence
        on candidates.issue_id = text_evidence.issue_id and candidates.change_id = text_evidence.change_id
    left join {{ ref('int_release_known_voices') }} as voices
        on candidates.issue_id = voices.issue_id and candidates.change_id = voices.change_id
    left join {{ ref('int_release_technical_evidence') }} as technical
        on candidates.issue_id = technical.issue_id and candidates.change_id = technical.change_id
    left join {{ ref('int_release_business_evidence') }} as business
        on candidates.issue_id = business.issue_id and candidates.change_id = business.change_id
    cross join {{ ref('stg_playbook_settings') }} as settings

),

judged as (

    select
        *,
        text_log_e_value >= strong_from as is_text_strong,
        technical_log_e_value >= strong_from as is_technical_strong,
        business_log_e_value >= strong_from as is_business_strong
    from joined

)

select
    issue_id,
    change_id,
    text_log_e_value,
    technical_log_e_value,
    business_log_e_value,
    contrary_log_e_value,
    -- E-values of different origin are independent and multiply; of those of one machinery, which may depend on each
    -- other, the mean is an e-value (Vovk & Wang 2021).
    text_log_e_value + ln((exp(technical_log_e_value) + exp(business_log_e_value)) / 2.0) as log_e_value,
    {%- for kind in ['text', 'technical', 'business'] %}
        case when is_{{ kind }}_strong then 1 else 0 end{{ ' +' if not loop.last else ' as strong_signals,' }}
    {%- endfor %}
    -- Two counts of one server are one origin.
    case when is_text_strong then 1 else 0 end
    + {%- for origin in ['server', 'client'] %}
        case
            when is_technical_strong and technical_provenance = '{{ origin }}' then 1
            when is_business_strong and business_provenance = '{{ origin }}' then 1
            else 0
        end{{ ' +' if not loop.last else ' as strong_origins,' }}
    {%- endfor %}
    persons_to_forge,
    strangers_to_forge,
    requests_to_forge,
    completions_to_forge,
    known_complaints,
    known_complaints_naming,
    successes_after,
    successes_expected,
    completed_after,
    completed_expected
from judged

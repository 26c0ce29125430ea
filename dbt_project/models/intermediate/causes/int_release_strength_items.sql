-- Strength of each signal of the three likeliest changes as rows of evidence: why undoing one is supported or not, and
-- what it would cost to forge what was seen.
with changes as (

    select
        correlation.*,
        coalesce(
            coalesce({{ platform_title('correlation.platform') }} || ' ', '') || correlation.version,
            correlation.change_id
        ) as title,
        settings.alone_alpha,
        60 + 10 * cast(correlation.candidate_rank as int) as first_position
    from {{ ref('int_release_correlation') }} as correlation
    cross join {{ ref('stg_playbook_settings') }} as settings
    where correlation.is_change and correlation.candidate_rank <= 3

)

{%- for name, evidence, counted, total in [
    ('words_alone', 'text', 'known_complaints_naming', 'known_complaints'),
    ('requests_alone', 'technical', 'successes_after', 'successes_expected'),
    ('completions_alone', 'business', 'completed_after', 'completed_expected'),
] %}
{{ evidence_item('first_position + ' ~ loop.index0, 'strength', name, "
    case when " ~ evidence ~ "_log_e_value >= -ln(alone_alpha) then 'for' else 'neutral' end",
    subject='change_id', subject_title='title', value='exp(-least(50.0, ' ~ evidence ~ '_log_e_value))',
    baseline='alone_alpha', counted=counted, total=total) }}
    from changes
    where {{ total }} is not null

    union all
{% endfor %}
{%- for cost in ['persons', 'strangers', 'requests', 'completions'] %}
{{ evidence_item('first_position + ' ~ (loop.index0 + 3), 'strength', cost ~ '_to_forge', "'neutral'",
    subject='change_id', subject_title='title', counted=cost ~ '_to_forge') }}
    from changes
    where {{ cost }}_to_forge > 0
    {{ 'union all' if not loop.last }}
{% endfor %}

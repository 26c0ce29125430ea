-- What was avoided in each issue, by measure and comparator, after its leading intervention (the credited one, else the
-- likeliest), and what that was worth.
with wanted as (

    select
        measures.measure,
        measures.value_kind,
        comparators.comparator
    from (
        values
        ('complaints', 'customers'),
        ('support_contacts', 'support'),
        ('failed_attempts', 'revenue'),
        ('refunds', 'refunds')
    ) as measures (measure, value_kind)
    cross join (values ('untreated'), ('frozen')) as comparators (comparator)

),

led as (

    select * from {{ ref('fct_interventions') }}
    where place = 1

),

joined as (

    select
        spans.issue_id,
        spans.product,
        spans.issue_type,
        wanted.measure,
        wanted.comparator,
        wanted.value_kind,
        led.intervention_id,
        led.kind as intervention_kind,
        led.acted_at as intervened_at,
        led.is_credited,
        led.candidates,
        led.ended_at,
        led.window_ends_at,
        effects.comparator_basis,
        effects.control_series,
        effects.measured_until,
        effects.exposure_unit,
        effects.count_before,
        effects.exposure_before,
        effects.count_after,
        effects.exposure_after,
        effects.control_before,
        effects.control_after,
        effects.expected_after,
        effects.avoided,
        effects.avoided_low,
        effects.avoided_high,
        effects.spread,
        effects.placebos,
        effects.p_fewer,
        effects.p_more,
        case wanted.measure
            when 'complaints' then spans.customer_value
            when 'support_contacts' then cast(settings.cost_support_contact as double)
            when 'failed_attempts' then unit_values.failed_attempt_value
            else unit_values.refund_value
        end as unit_value
    from {{ ref('int_issue_spans') }} as spans
    cross join wanted
    cross join {{ ref('stg_playbook_settings') }} as settings
    left join {{ ref('int_issue_unit_values') }} as unit_values on spans.issue_id = unit_values.issue_id
    left join led on spans.issue_id = led.issue_id
    left join {{ ref('int_outcome_effects') }} as effects
        on
            led.intervention_id = effects.intervention_id
            and wanted.measure = effects.measure
            and wanted.comparator = effects.comparator
    where
        (wanted.measure <> 'failed_attempts' or spans.funnel_step is not null)
        and (wanted.measure <> 'refunds' or spans.refunds_follow)

),

answered as (

    select
        *,
        case
            when intervention_id is null then 'no_intervention'
            when avoided is null or count_before = 0 then 'nothing_to_measure'
            when measured_until < window_ends_at and ended_at is null then 'too_early'
            when placebos < {{ var('outcome_placebos') }} then 'too_few_placebos'
            when p_fewer * candidates <= {{ var('outcome_alpha') }} and avoided_low > 0 and is_credited then 'fewer'
            when p_more * candidates <= {{ var('outcome_alpha') }} and avoided_high < 0 then 'more'
            else 'not_distinguishable'
        end as answer
    from joined

)

select
    issue_id,
    measure,
    comparator,
    product,
    issue_type,
    intervention_id,
    intervention_kind,
    coalesce(is_credited, false) as is_credited,
    comparator_basis,
    control_series,
    intervened_at,
    measured_until,
    window_ends_at,
    exposure_unit,
    count_before,
    exposure_before,
    count_after,
    exposure_after,
    control_before,
    control_after,
    expected_after,
    avoided,
    avoided_low,
    avoided_high,
    spread,
    coalesce(placebos, 0) as placebos,
    case when avoided >= 0 then p_fewer else p_more end as placebo_p,
    answer,
    value_kind,
    unit_value,
    {{ rounded('avoided * unit_value', 2) }} as value,
    {{ rounded('avoided_low * unit_value', 2) }} as value_low,
    {{ rounded('avoided_high * unit_value', 2) }} as value_high
from answered

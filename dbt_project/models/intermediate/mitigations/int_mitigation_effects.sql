{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

-- Effect of each act, by each metric: is it back at its usual level, or as it was between the onset and the act? A
-- likelihood ratio of the two that may be looked at at any time. An issue that is over keeps what was measured.
with measured as (

    select
        acts.issue_id,
        acts.mitigation,
        acts.plan_id,
        measures.metric,
        measures.metric = acts.verify_metric as is_verifying,
        measures.source_name,
        measures.exposure_unit,
        acts.applied_at,
        acts.measured_until,
        acts.window_ends_at,
        acts.is_cut_short,
        acts.is_window_over,
        measures.count_before,
        measures.exposure_before,
        measures.count_after,
        measures.exposure_after,
        measures.usual_after,
        measures.relative_variance,
        measures.spread,
        measures.count_before / nullif(measures.exposure_before, 0.0) * measures.exposure_after as unchanged_after
    from {{ ref('int_mitigation_acts') }} as acts
    inner join {{ ref('int_mitigation_measures') }} as measures on acts.plan_id = measures.plan_id

),

-- Rounded before comparing: the value that people read is the value that decided.
weighed as (

    select
        *,
        {{ rounded(log_ratio_of_return(
            'count_after', 'unchanged_after', 'usual_after',
            predictive('spread + relative_variance * unchanged_after', 'unchanged_after', 'count_before')
        ), 4) }} as log_likelihood_ratio
    from measured

)

select
    issue_id,
    mitigation,
    plan_id,
    metric,
    is_verifying,
    source_name,
    exposure_unit,
    applied_at,
    measured_until,
    window_ends_at,
    {{ rounded('count_before') }} as count_before,
    {{ rounded('exposure_before') }} as exposure_before,
    {{ rounded('count_after') }} as count_after,
    {{ rounded('exposure_after') }} as exposure_after,
    {{ rounded('unchanged_after') }} as unchanged_after,
    {{ rounded('usual_after') }} as usual_after,
    log_likelihood_ratio,
    case
        when log_likelihood_ratio >= {{ var('corroborating_log_e_value') }} then 'effective'
        when not is_window_over and not is_cut_short then 'too_early'
        when log_likelihood_ratio <= -{{ var('corroborating_log_e_value') }} and not is_cut_short then 'ineffective'
        else 'not_distinguishable'
    end as effect
from weighed

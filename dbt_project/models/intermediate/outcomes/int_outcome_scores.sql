-- Expected counts after each act, and after each placebo, by both comparators, with the standardised difference from
-- what came. Controls are the quiet other series of one basis: other platforms or countries where the issue has one,
-- else other issue types of the product or the same type in other products, whichever had more counts before the
-- issue; without enough of them, traffic alone.
{% set bases = {
    'scopes': 'product, series',
    'products': 'series, scope_value',
    'types': 'product, scope_value',
} %}
with counts as (

    select
        *,
        case when is_quiet then 1 else 0 end as quiet
    from {{ ref('int_outcome_counts') }}
    where exposure_before > 0 and exposure_after > 0

),

pooled as (

    select
        *,
        {%- for basis, keys in bases.items() %}
            {%- for column in ['count_before', 'count_after', 'exposure_before', 'exposure_after'] %}
                sum({{ column }} * quiet) over (partition by intervention_id, measure, shift, {{ keys }})
                - {{ column }} * quiet
                    as {{ basis }}_{{ column }},
            {%- endfor %}
            sum(quiet) over (partition by intervention_id, measure, shift, {{ keys }}) - quiet as {{ basis }}_series,
        {%- endfor %}
        sum(case when shift > 0 then count_before * quiet end) over series_past as past_count,
        sum(case when shift > 0 then exposure_before * quiet end) over series_past as past_exposure
    from counts
    window series_past as (partition by intervention_id, measure, product, series, scope_value)

),

-- Chosen by what was there before the issue, not by what came after.
available as (

    select
        intervention_id,
        measure,
        max(scope_kind) as scope_kind,
    {%- for basis in bases %}
        coalesce(sum(case when shift > 0 then {{ basis }}_count_before end), 0.0) as {{ basis }}_past
        {{- ',' if not loop.last }}
    {%- endfor %}
    from pooled
    where is_treated
    group by intervention_id, measure

),

chosen as (

    select
        intervention_id,
        measure,
        case
            when scope_kind <> 'all' and scopes_past >= {{ var('outcome_control_count') }} then 'scopes'
            when
                measure in ('complaints', 'support_contacts')
                and types_past >= {{ var('outcome_control_count') }}
                and types_past >= products_past
                then 'types'
            when products_past >= {{ var('outcome_control_count') }} then 'products'
            else 'traffic'
        end as basis
    from available

),

controlled as (

    select
        pooled.*,
        chosen.basis,
    {%- for column in ['count_before', 'count_after', 'exposure_before', 'exposure_after', 'series'] %}
        case chosen.basis
            {%- for basis in bases %}
                when '{{ basis }}' then pooled.{{ basis }}_{{ column }}
            {%- endfor %}
            else 0
        end as control_{{ column }}
        {{- ',' if not loop.last }}
    {%- endfor %}
    from pooled
    inner join chosen on pooled.intervention_id = chosen.intervention_id and pooled.measure = chosen.measure

),

-- Controls move the expectation by their own change per exposure, shrunk as if five more had come as expected. For a
-- Poisson count n the mean of 1 / (n + 1) is nearly one by its rate, which that of 1 / n is not.
moved as (

    select
        *,
        case
            when basis = 'traffic' or control_exposure_before <= 0 then 0.0
            else (control_count_before + 1.0) * control_exposure_after / control_exposure_before
        end as control_unmoved
    from controlled

),

expected as (

    select
        *,
        case
            when basis = 'traffic' then 1.0 else (control_count_after + 5.0) / (control_unmoved + 5.0)
        end as control_change,
        case
            when basis = 'traffic' then 0.0
            else 1.0 / (control_count_after + 5.0) + 1.0 / (control_unmoved + 5.0)
        end as control_variance,
        -- Counts of days vary by a quarter beyond chance (`dispersion` in formulas.sql).
        case
            when measure = 'failed_attempts' then 0.0
            else 1.0 / 16.0 / greatest(1.0, hours_before / 24.0) + 1.0 / 16.0 / greatest(1.0, hours_after / 24.0)
        end as day_variance
    from moved

),

compared as (

    select
        expected.*,
        comparators.comparator,
        case comparators.comparator
            when
                'untreated'
                then
                    expected.count_before / expected.exposure_before * expected.exposure_after * expected.control_change
            else expected.peak_rate * expected.exposure_after
        end as expected_after,
        case comparators.comparator
            when
                'untreated'
                then 1.0 / (expected.count_before + 0.5) + expected.control_variance + expected.day_variance
            else 1.0 / (expected.peak_count + 0.5) + expected.day_variance
        end as relative_variance
    from expected
    cross join (values ('untreated'), ('frozen')) as comparators (comparator)

),

varied as (

    select
        *,
        greatest(1.0, expected_after + expected_after * expected_after * relative_variance) as variance
    from compared

)

select
    intervention_id,
    issue_id,
    measure,
    comparator,
    shift,
    product,
    series,
    scope_kind,
    scope_value,
    is_treated and shift = 0 as is_act,
    is_quiet and shift > 0 and count_before > 0 as is_placebo,
    -- Height above the usual level before the act, in standard deviations.
    {{ rounded(
        '(count_before - past_count / past_exposure * exposure_before)'
        ~ ' / sqrt(past_count / past_exposure * exposure_before + 0.5)'
    ) }} as elevation,
    basis,
    cast(control_series as bigint) as control_series,
    control_count_before,
    control_count_after,
    exposure_unit,
    count_before,
    exposure_before,
    count_after,
    exposure_after,
    {{ rounded('expected_after') }} as expected_after,
    variance,
    {{ rounded('(count_after - expected_after) / sqrt(variance)') }} as score
from varied

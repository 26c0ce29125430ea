-- Change of each rate from before to after, less that of the products that had not adopted the loop, less the same a
-- year before; in logarithms, with the variance of its counts.
{% set years = {'': 'is_clean', '_last_year': 'is_clean and has_last_year'} %}
with windows as (

    select
        windows.*,
        coalesce(
            {{ seconds_between('adopters.adopted_at', 'own.adopted_at') }} / 86400.0 >= windows.ends_day, true
        ) as is_clean,
        windows.exposure_before_last_year > 0 and windows.exposure_after_last_year > 0 as has_last_year
    from {{ ref('int_adoption_windows') }} as windows
    inner join {{ ref('int_adoptions') }} as adopters on windows.adopter = adopters.product
    inner join {{ ref('int_adoptions') }} as own on windows.product = own.product
    where windows.exposure_before > 0 and windows.exposure_after > 0

),

-- Half an event is added to each count (Haldane 1956; Anscombe 1956), so that none has no logarithm.
changes as (

    select
        *,
    {%- for year in years %}
        ln((count_after{{ year }} + 0.5) / nullif(exposure_after{{ year }}, 0.0))
        - ln((count_before{{ year }} + 0.5) / nullif(exposure_before{{ year }}, 0.0)) as log_ratio{{ year }},
        1.0 / (count_after{{ year }} + 0.5) + 1.0 / (count_before{{ year }} + 0.5) as variance{{ year }}
        {{- ',' if not loop.last }}
    {%- endfor %}
    from windows

),

-- Controls are weighted by the inverse of their variances.
weighed as (

    select
        *,
    {%- for year, condition in years.items() %}
        case when {{ condition }} then 1 else 0 end as counted{{ year }},
        case when {{ condition }} then 1.0 / variance{{ year }} else 0.0 end as weight{{ year }},
        case when {{ condition }} then log_ratio{{ year }} / variance{{ year }} else 0.0 end as weighted{{ year }}
        {{- ',' if not loop.last }}
    {%- endfor %}
    from changes

),

-- A product is no control of its own.
pooled as (

    select
        *,
    {%- for year in years %}
        cast(
            sum(counted{{ year }}) over (partition by adopter, measure, shift) - counted{{ year }} as bigint
        ) as controls{{ year }},
        sum(weight{{ year }}) over (partition by adopter, measure, shift) - weight{{ year }} as all_weight{{ year }},
        sum(weighted{{ year }}) over (partition by adopter, measure, shift) - weighted{{ year }} as all_sum{{ year }}
        {{- ',' if not loop.last }}
    {%- endfor %}
    from weighed

),

compared as (

    select
        *,
    {%- for year in years %}
        case when controls{{ year }} > 0 then all_sum{{ year }} / all_weight{{ year }} else 0.0 end as mean{{ year }},
        case when controls{{ year }} > 0 then 1.0 / all_weight{{ year }} else 0.0 end as control_variance{{ year }}
        {{- ',' if not loop.last }}
    {%- endfor %}
    from pooled

),

differences as (

    select
        *,
        log_ratio - mean
        - case when has_last_year then log_ratio_last_year - mean_last_year else 0.0 end as difference,
        variance + control_variance
        + case when has_last_year then variance_last_year + control_variance_last_year else 0.0 end
            as difference_variance
    from compared

)

select
    adopter,
    measure,
    product,
    shift,
    lag_days,
    product = adopter and shift = 0 as is_case,
    is_clean and not (product = adopter and shift = 0) and count_before + count_after > 0 as is_placebo,
    has_last_year,
    controls,
    count_before,
    exposure_before,
    count_after,
    exposure_after,
    {{ rounded('log_ratio') }} as log_ratio,
    {{ rounded('mean') }} as control_log_ratio,
    case when has_last_year then {{ rounded('log_ratio_last_year - mean_last_year') }} end
        as last_year_difference,
    {{ rounded('difference') }} as difference,
    {{ rounded('difference_variance') }} as difference_variance
from differences

-- What changed in each product when it adopted the loop: the difference in differences of the logarithm of a rate, and
-- its place among those of placebos, in which nothing was adopted.
with cases as (

    select * from {{ ref('int_adoption_differences') }}
    where is_case

),

pairs as (

    select
        cases.adopter,
        cases.measure,
        cases.difference as case_difference,
        cases.difference_variance as case_variance,
        placebos.difference,
        placebos.difference_variance
    from cases
    inner join {{ ref('int_adoption_differences') }} as placebos
        on cases.adopter = placebos.adopter and cases.measure = placebos.measure and placebos.is_placebo

),

-- Variance of differences beyond that of their counts, by the method of moments (DerSimonian & Laird 1986); as if five
-- more had shown a fifth, as it is usual between months.
moments as (

    select
        adopter,
        measure,
        ({{ exact_sum('difference * difference - difference_variance') }} + 5.0 * 0.04) / (count(*) + 5.0)
            as moment_variance
    from pairs
    group by adopter, measure

),

usual as (

    select
        adopter,
        measure,
        greatest(0.0, moment_variance) as usual_variance
    from moments

),

placebos as (

    select
        pairs.adopter,
        pairs.measure,
        usual.usual_variance,
        cast(count(*) as bigint) as placebos,
        sum(case
            when
                {{ rounded('pairs.difference / sqrt(pairs.difference_variance + usual.usual_variance)') }}
                <= {{ rounded('pairs.case_difference / sqrt(pairs.case_variance + usual.usual_variance)') }}
                then 1
            else 0
        end) as placebos_below,
        sum(case
            when
                {{ rounded('pairs.difference / sqrt(pairs.difference_variance + usual.usual_variance)') }}
                >= {{ rounded('pairs.case_difference / sqrt(pairs.case_variance + usual.usual_variance)') }}
                then 1
            else 0
        end) as placebos_above
    from pairs
    inner join usual on pairs.adopter = usual.adopter and pairs.measure = usual.measure
    group by pairs.adopter, pairs.measure, usual.usual_variance

),

joined as (

    select
        adoptions.product,
        measures.measure,
        measures.exposure_unit,
        adoptions.adopted_at,
        adoptions.adopted_by,
        {{ seconds_between('adoptions.adopted_at', as_of()) }} >= {{ var('adoption_weeks') }} * 604800.0 as is_over,
        cases.controls,
        cases.has_last_year,
        cases.lag_days,
        cases.count_before,
        cases.exposure_before,
        cases.count_after,
        cases.exposure_after,
        cases.log_ratio,
        cases.control_log_ratio,
        cases.last_year_difference,
        cases.difference,
        coalesce(placebos.placebos, 0) as placebos,
        case
            when placebos.placebos >= {{ var('outcome_placebos') }}
                then {{ rounded('(1.0 + placebos.placebos_below) / (1.0 + placebos.placebos)') }}
        end as p_fewer,
        case
            when placebos.placebos >= {{ var('outcome_placebos') }}
                then {{ rounded('(1.0 + placebos.placebos_above) / (1.0 + placebos.placebos)') }}
        end as p_more,
        case when cases.difference is not null then sqrt(coalesce(placebos.usual_variance, 0.04)) end as spread,
        -- 90 %.
        1.645 * sqrt(cases.difference_variance + coalesce(placebos.usual_variance, 0.04)) as margin
    from {{ ref('int_adoptions') }} as adoptions
    cross join (
        values
        ('negative_review_share', 'reviews'),
        ('complaints_per_1000_visits', 'thousand_visits'),
        ('refund_rate', 'orders'),
        ('conversion', 'visits')
    ) as measures (measure, exposure_unit)
    left join cases on adoptions.product = cases.adopter and measures.measure = cases.measure
    left join placebos on adoptions.product = placebos.adopter and measures.measure = placebos.measure

)

select
    product,
    measure,
    exposure_unit,
    adopted_at,
    adopted_by,
    cast(lag_days / 7 as bigint) as weeks_between,
    count_before,
    exposure_before,
    {{ rounded('count_before / exposure_before') }} as rate_before,
    count_after,
    exposure_after,
    {{ rounded('count_after / exposure_after') }} as rate_after,
    {{ rounded('exp(log_ratio) - 1.0') }} as change,
    coalesce(controls, 0) as control_products,
    case when controls > 0 then {{ rounded('exp(control_log_ratio) - 1.0') }} end as control_change,
    {{ rounded('exp(last_year_difference) - 1.0') }} as last_year_change,
    {{ rounded('exp(difference) - 1.0') }} as effect,
    {{ rounded('exp(difference - margin) - 1.0') }} as effect_low,
    {{ rounded('exp(difference + margin) - 1.0') }} as effect_high,
    {{ rounded('spread') }} as spread,
    placebos,
    case when difference <= 0 then p_fewer else p_more end as placebo_p,
    case
        when adopted_at is null then 'not_adopted'
        when not is_over then 'too_early'
        when difference is null or count_before + count_after = 0 then 'nothing_to_measure'
        when placebos < {{ var('outcome_placebos') }} then 'too_few_placebos'
        when p_fewer <= {{ var('adoption_alpha') }} and difference < 0 then 'fewer'
        when p_more <= {{ var('adoption_alpha') }} and difference > 0 then 'more'
        else 'not_distinguishable'
    end as answer
from joined

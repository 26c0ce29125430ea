{{ config(materialized='incremental', meta={'rebuilt_by': 'tick'}, pre_hook="{{ forget_since('tick') }}") }}

-- Activity of each series: trailing counts, expectation and score.
with counted as (

    select
        counts.*,
        baseline.day,
        baseline.baseline_days,
        baseline.baseline_total,
        baseline.baseline_squares,
        baseline.baseline_calm
    from {{ ref('int_complaints_trailing') }} as counts
    inner join {{ ref('int_baseline') }} as baseline
        on
            counts.product = baseline.product
            and counts.issue_type = baseline.issue_type
            and counts.scope_kind = baseline.scope_kind
            and counts.scope_value = baseline.scope_value
            and {{ day_of('counts.tick') }} = baseline.day

),

exposure as (

    select * from {{ ref('int_exposure') }}

),

season as (

    select * from {{ ref('int_season') }}

),

hours as (

    select * from {{ ref('int_hour_of_day') }}

),

-- Everything else said: the series' baseline may exclude days, the background's never does, so it is rescaled before it
-- is subtracted.
compared as (

    select
        series.*,
        everything.count_24h - series.count_24h as other_24h,
        everything.count_72h - series.count_72h as other_72h,
        greatest(
            0.0,
            everything.baseline_total
            - series.baseline_total * (everything.baseline_days / greatest(series.baseline_days, 1.0))
        ) / greatest(everything.baseline_days, 1.0) as other_per_day,
        everything.calm_24h as all_calm_24h,
        everything.calm_72h as all_calm_72h,
        everything.baseline_calm / greatest(everything.baseline_days, 1.0) as calm_per_day,
        {{ poisson_rate('series.baseline_total', 'series.baseline_days') }} as rate_per_day,
        {{ seconds_between('series.day', 'series.tick') }} / 86400.0 as elapsed
    from counted as series
    inner join counted as everything
        on
            series.product = everything.product
            and series.scope_kind = everything.scope_kind
            and series.scope_value = everything.scope_value
            and series.tick = everything.tick
            and everything.issue_type = '(any)'
    where series.issue_type <> '(any)'

),

-- The type's rate in the whole product, per piece of anything else: what newcomers to a place are expected to say.
whole as (

    select
        product,
        issue_type,
        tick,
        rate_per_day / (other_per_day + 1.0) as rate_per_other
    from compared
    where scope_kind = 'all'

),

-- Exposure: visits of the scope, else of the product, where the funnel has a baseline of them and all of the window.
exposed as (

    select
        compared.*,
        whole.rate_per_other,
        coalesce(
            scope_exposure.visits_24h / scope_exposure.visits_per_day,
            product_exposure.visits_24h / product_exposure.visits_per_day
        ) as visits_ratio,
        coalesce(
            scope_exposure.visits_72h / (3.0 * scope_exposure.visits_per_day),
            product_exposure.visits_72h / (3.0 * product_exposure.visits_per_day)
        ) as visits_ratio_72h,
        coalesce(scope_exposure.visits_24h, product_exposure.visits_24h) as visits_24h,
        coalesce(season.factor_0, 1.0) as factor_0,
        coalesce(season.factor_1, 1.0) as factor_1,
        coalesce(season.factor_2, 1.0) as factor_2,
        coalesce(season.factor_3, 1.0) as factor_3,
        -- The share of the day's feedback that has usually come by this time of day.
        coalesce(
            hours.share_before + hours.factor * (compared.elapsed - cast(hours.hour as double) / 24.0), compared.elapsed
        ) as share_so_far
    from compared
    inner join whole
        on
            compared.product = whole.product
            and compared.issue_type = whole.issue_type
            and compared.tick = whole.tick
    left join exposure as scope_exposure
        on
            compared.product = scope_exposure.product
            and compared.scope_kind = scope_exposure.scope_kind
            and compared.scope_value = scope_exposure.scope_value
            and compared.tick = scope_exposure.tick
            and scope_exposure.visits_per_day > 0
    left join exposure as product_exposure
        on
            compared.product = product_exposure.product
            and product_exposure.scope_kind = 'all'
            and compared.tick = product_exposure.tick
            and product_exposure.visits_per_day > 0
    left join season
        on
            compared.product = season.product
            and compared.scope_kind = season.scope_kind
            and compared.scope_value = season.scope_value
            and compared.day = season.day
    left join hours
        on
            compared.product = hours.product
            and compared.day = hours.day
            and {{ hour_of('compared.tick') }} = hours.hour

),

-- Season of a window: 24 hours are today so far and the rest of yesterday. Visits already contain the season.
-- Floor of the visits: with half of them, complaints about the day before still come in.
scaled as (

    select
        *,
        case
            when visits_ratio is not null then greatest(0.5, visits_ratio)
            else share_so_far * factor_0 + (1.0 - share_so_far) * factor_1
        end as usual_ratio,
        case
            when visits_ratio_72h is not null then greatest(0.5, visits_ratio_72h)
            else (share_so_far * factor_0 + factor_1 + factor_2 + (1.0 - share_so_far) * factor_3) / 3.0
        end as usual_ratio_72h
    from exposed

),

crowded as (

    select
        *,
        rate_per_day * usual_ratio as expected,
        3.0 * rate_per_day * usual_ratio_72h as expected_72h,
        {{ crowd(
            'other_24h', 'other_per_day * usual_ratio', 'all_calm_24h', 'calm_per_day * usual_ratio'
        ) }} as crowd_ratio,
        {{ crowd(
            'other_72h', '3.0 * other_per_day * usual_ratio_72h',
            'all_calm_72h', '3.0 * calm_per_day * usual_ratio_72h'
        ) }} as crowd_ratio_72h
    from scaled

),

-- What else is said beyond chance and beyond the crowd: a surge, of which the labels leak a share into this type.
surged as (

    select
        *,
        greatest(0.0, {{ beyond_chance('other_24h', 'other_per_day * usual_ratio') }} - crowd_ratio)
        * (other_per_day * usual_ratio + 1.0) as surge,
        greatest(0.0, {{ beyond_chance('other_72h', '3.0 * other_per_day * usual_ratio_72h') }} - crowd_ratio_72h)
        * (3.0 * other_per_day * usual_ratio_72h + 1.0) as surge_72h
    from crowded

),

-- `explained` also grants what a crowd says that talks more, and what a surge of other types leaks.
explained as (

    select
        *,
        expected
        + (crowd_ratio - 1.0) * greatest(expected, rate_per_other * (other_per_day * usual_ratio + 1.0))
        + {{ label_leak() }} * surge as explained,
        expected_72h
        + (crowd_ratio_72h - 1.0)
        * greatest(expected_72h, rate_per_other * (3.0 * other_per_day * usual_ratio_72h + 1.0))
        + {{ label_leak() }} * surge_72h as explained_72h
    from surged

),

-- The leak varies from incident to incident about as much as it is long.
expectation as (

    select
        *,
        {{ predictive(
            dispersion('baseline_total', 'baseline_squares', 'baseline_days', 'explained'), 'expected', 'baseline_total'
        ) }} + power({{ label_leak() }} * surge, 2) / explained as dispersion,
        {{ predictive(
            dispersion('baseline_total', 'baseline_squares', 'baseline_days', 'explained_72h / 3.0'),
            'expected_72h', 'baseline_total'
        ) }} + power({{ label_leak() }} * surge_72h, 2) / explained_72h as dispersion_72h
    from explained

)

select
    product,
    issue_type,
    scope_kind,
    scope_value,
    tick,
    valid_to,
    count_24h as feedback_count,
    count_72h as feedback_count_72h,
    evidence_24h as evidence,
    evidence_72h,
    cast(case when visits_ratio is not null then visits_24h else other_24h end as double) as exposure,
    case when visits_ratio is not null then 'visits' else 'other_feedback' end as exposure_kind,
    cast(baseline_days as double) as baseline_days,
    {{ rounded('dispersion') }} as dispersion,
    {{ rounded('expected') }} as expected,
    {{ rounded('expected_72h') }} as expected_72h,
    {{ rounded('explained') }} as explained,
    {{ rounded('explained_72h') }} as explained_72h,
    {{ rounded('evidence_24h - expected') }} as excess,
    {{ rounded('evidence_72h - expected_72h') }} as excess_72h,
    {{ rounded(surprise('evidence_24h', 'explained', 'dispersion')) }} as score,
    {{ rounded(surprise('evidence_72h', 'explained_72h', 'dispersion_72h')) }} as score_72h
from expectation

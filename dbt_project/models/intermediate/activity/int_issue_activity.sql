{{ config(materialized='incremental', meta={'rebuilt_by': 'tick'}, pre_hook="{{ forget_since('tick') }}") }}

-- Activity of each series: trailing counts, expectation and score.
with counted as (

    select
        counts.*,
        baseline.day,
        baseline.baseline_days,
        baseline.baseline_total,
        baseline.baseline_squares
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

-- Exposure: visits of the scope, else of the product, where the funnel has a baseline of them; else all other feedback.
exposed as (

    select
        series.*,
        everything.count_24h - series.count_24h as other_24h,
        everything.count_72h - series.count_72h as other_72h,
        -- The series' baseline may exclude days, the background's never does: rescaled before it is subtracted.
        greatest(
            0.0,
            everything.baseline_total
            - series.baseline_total * (everything.baseline_days / greatest(series.baseline_days, 1.0))
        ) / greatest(everything.baseline_days, 1.0) as other_per_day,
        coalesce(scope_exposure.visits_24h, product_exposure.visits_24h) as visits_24h,
        coalesce(scope_exposure.visits_72h, product_exposure.visits_72h) as visits_72h,
        coalesce(scope_exposure.visits_per_day, product_exposure.visits_per_day) as visits_per_day,
        coalesce(season.factor_0, 1.0) as factor_0,
        coalesce(season.factor_1, 1.0) as factor_1,
        coalesce(season.factor_2, 1.0) as factor_2,
        coalesce(season.factor_3, 1.0) as factor_3,
        {{ seconds_between('series.day', 'series.tick') }} / 86400.0 as elapsed
    from counted as series
    inner join counted as everything
        on
            series.product = everything.product
            and series.scope_kind = everything.scope_kind
            and series.scope_value = everything.scope_value
            and series.tick = everything.tick
            and everything.issue_type = '(any)'
    left join exposure as scope_exposure
        on
            series.product = scope_exposure.product
            and series.scope_kind = scope_exposure.scope_kind
            and series.scope_value = scope_exposure.scope_value
            and series.tick = scope_exposure.tick
            and scope_exposure.visits_per_day > 0
    left join exposure as product_exposure
        on
            series.product = product_exposure.product
            and product_exposure.scope_kind = 'all'
            and series.tick = product_exposure.tick
            and product_exposure.visits_per_day > 0
    left join season
        on
            series.product = season.product
            and series.scope_kind = season.scope_kind
            and series.scope_value = season.scope_value
            and series.day = season.day
    where series.issue_type <> '(any)'

),

-- Season of a window: 24 hours are today so far and the rest of yesterday. Visits already contain the season.
seasoned as (

    select
        *,
        case
            when visits_per_day > 0 then 1.0
            else elapsed * factor_0 + (1.0 - elapsed) * factor_1
        end as season_24h,
        case
            when visits_per_day > 0 then 1.0
            else (elapsed * factor_0 + factor_1 + factor_2 + (1.0 - elapsed) * factor_3) / 3.0
        end as season_72h
    from exposed

),

scaled as (

    select
        *,
        {{ poisson_rate('baseline_total', 'baseline_days') }} as rate_per_day,
        {{ dispersion('baseline_total', 'baseline_squares', 'baseline_days') }} as dispersion,
        -- Floor: with half the visits, complaints about the day before still come in.
        case
            when visits_per_day > 0 then greatest(0.5, visits_24h / visits_per_day)
            else season_24h
        end as usual_ratio,
        case
            when visits_per_day > 0 then greatest(0.5, visits_72h / (3.0 * visits_per_day))
            else season_72h
        end as usual_ratio_72h,
        case
            when visits_per_day > 0 then 1.0
            else greatest(1.0, (other_24h + 1.0) / (other_per_day * season_24h + 1.0))
        end as crowd_ratio,
        case
            when visits_per_day > 0 then 1.0
            else greatest(1.0, (other_72h + 1.0) / (3.0 * other_per_day * season_72h + 1.0))
        end as crowd_ratio_72h
    from seasoned

),

-- `explained` also grants a crowd that says more of everything, where there are no visits to measure it.
expectation as (

    select
        *,
        rate_per_day * usual_ratio as expected,
        3.0 * rate_per_day * usual_ratio_72h as expected_72h,
        rate_per_day * usual_ratio * crowd_ratio as explained,
        3.0 * rate_per_day * usual_ratio_72h * crowd_ratio_72h as explained_72h
    from scaled

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
    cast(coalesce(visits_24h, other_24h) as double) as exposure,
    case when visits_per_day > 0 then 'visits' else 'other_feedback' end as exposure_kind,
    cast(baseline_days as double) as baseline_days,
    {{ rounded('dispersion') }} as dispersion,
    {{ rounded('expected') }} as expected,
    {{ rounded('expected_72h') }} as expected_72h,
    {{ rounded('explained') }} as explained,
    {{ rounded('explained_72h') }} as explained_72h,
    {{ rounded('evidence_24h - expected') }} as excess,
    {{ rounded('evidence_72h - expected_72h') }} as excess_72h,
    {{ rounded(surprise('evidence_24h', 'explained', 'dispersion')) }} as score,
    {{ rounded(surprise('evidence_72h', 'explained_72h', 'dispersion')) }} as score_72h
from expectation

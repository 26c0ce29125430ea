{{ config(materialized='incremental', pre_hook="{{ forget_due_outcomes() }}") }}

-- Effect of each intervention by measure and comparator: what was expected without it, what came, and the place of the
-- difference among those of the placebos.
with scores as (

    select * from {{ ref('int_outcome_scores') }}

),

acts as (

    select * from scores
    where is_act

),

-- An issue is what stood highest, and what is high by chance falls by itself. So the placebos taken are the eighth (30
-- at least) that stood most nearly as high before.
ranked as (

    select
        acts.intervention_id,
        acts.measure,
        acts.comparator,
        acts.score as act_score,
        scores.score,
        row_number() over (
            partition by acts.intervention_id, acts.measure, acts.comparator
            order by
                abs(scores.elevation - acts.elevation) asc,
                scores.product asc,
                scores.series asc,
                scores.scope_value asc,
                scores.shift asc
        ) as place,
        count(*) over (partition by acts.intervention_id, acts.measure, acts.comparator) as found
    from acts
    inner join scores
        on
            acts.intervention_id = scores.intervention_id
            and acts.measure = scores.measure
            and acts.comparator = scores.comparator
            and scores.is_placebo

),

placebos as (

    select
        intervention_id,
        measure,
        comparator,
        cast(count(*) as bigint) as placebos,
        cast(sum(case when score <= act_score then 1 else 0 end) as bigint) as placebos_below,
        cast(sum(case when score >= act_score then 1 else 0 end) as bigint) as placebos_above,
        -- Single ones count up to three standard deviations; as if ten more had shown 1.5.
        (cast(sum(cast(least(9.0, score * score) as decimal(24, 6))) as double) + 15.0) / (count(*) + 10.0) as spread
    from ranked
    where place <= greatest(30.0, found / 8.0)
    group by intervention_id, measure, comparator

),

joined as (

    select
        acts.*,
        windows.acted_at,
        windows.measured_until,
        windows.window_ends_at,
        coalesce(placebos.placebos, 0) as placebos,
        coalesce(placebos.placebos_below, 0) as placebos_below,
        coalesce(placebos.placebos_above, 0) as placebos_above,
        greatest(1.0, coalesce(placebos.spread, 1.5)) as spread,
        acts.expected_after - acts.count_after as avoided
    from acts
    inner join {{ ref('int_outcome_windows') }} as windows
        on acts.intervention_id = windows.intervention_id and windows.shift = 0
    left join placebos
        on
            acts.intervention_id = placebos.intervention_id
            and acts.measure = placebos.measure
            and acts.comparator = placebos.comparator

)

select
    intervention_id,
    issue_id,
    measure,
    comparator,
    case
        when comparator = 'frozen' then 'peak'
        when basis = 'scopes' and scope_kind = 'country' then 'countries'
        when basis = 'scopes' then 'platforms'
        else basis
    end as comparator_basis,
    cast(case when comparator = 'frozen' then 0 else control_series end as bigint) as control_series,
    acted_at,
    measured_until,
    window_ends_at,
    exposure_unit,
    {{ rounded('count_before') }} as count_before,
    {{ rounded('exposure_before') }} as exposure_before,
    {{ rounded('count_after') }} as count_after,
    {{ rounded('exposure_after') }} as exposure_after,
    case when comparator = 'untreated' then {{ rounded('control_count_before') }} end as control_before,
    case when comparator = 'untreated' then {{ rounded('control_count_after') }} end as control_after,
    {{ rounded('expected_after') }} as expected_after,
    {{ rounded('avoided') }} as avoided,
    -- 90 %.
    {{ rounded('avoided - 1.645 * sqrt(spread * variance)') }} as avoided_low,
    {{ rounded('avoided + 1.645 * sqrt(spread * variance)') }} as avoided_high,
    {{ rounded('spread') }} as spread,
    score,
    placebos,
    case
        when placebos >= {{ var('outcome_placebos') }}
            then {{ rounded('(1.0 + placebos_below) / (1.0 + placebos)') }}
    end as p_fewer,
    case
        when placebos >= {{ var('outcome_placebos') }}
            then {{ rounded('(1.0 + placebos_above) / (1.0 + placebos)') }}
    end as p_more
from joined

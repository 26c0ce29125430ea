-- Measures around each act: complaints per visit (per hour where visits are not counted), errors per request of the
-- service that stands out most, and failed attempts at the journey step; each before the act, after it, and as usual.
with complaints as (

    select
        acts.plan_id,
        coalesce(sum(feedback.evidence_weight) filter (where feedback.counted_at <= acts.applied_at), 0.0)
            as count_before,
        coalesce(sum(feedback.evidence_weight) filter (where feedback.counted_at > acts.applied_at), 0.0) as count_after
    from {{ ref('int_mitigation_acts') }} as acts
    left join {{ ref('int_issue_feedback') }} as feedback
        on
            acts.issue_id = feedback.issue_id
            and acts.started_at < feedback.counted_at
            and acts.measured_until >= feedback.counted_at
    group by acts.plan_id

),

-- A source that has delivered nothing since the act says nothing of it.
heard as (

    select distinct acts.plan_id
    from {{ ref('int_mitigation_acts') }} as acts
    inner join {{ ref('int_feedback') }} as feedback
        on
            acts.product = feedback.product
            and acts.applied_at < feedback.counted_at
            and acts.measured_until >= feedback.counted_at

),

visits as (

    select
        acts.plan_id,
        coalesce(sum(funnel.entered) filter (where funnel.bucket_start < acts.applied_at), 0) as visits_before,
        coalesce(sum(funnel.entered) filter (where funnel.bucket_start >= acts.applied_at), 0) as visits_after
    from {{ ref('int_mitigation_acts') }} as acts
    inner join {{ ref('stg_funnel_metrics') }} as funnel
        on
            acts.product = funnel.product
            and acts.started_at <= funnel.bucket_start
            and acts.measured_until > funnel.bucket_start
            and funnel.step = 'visit'
    group by acts.plan_id

),

exposed as (

    select
        acts.plan_id,
        complaints.count_before,
        complaints.count_after,
        heard.plan_id is not null as is_heard,
        coalesce(visits.visits_before > 0 and visits.visits_after > 0, false) as has_visits,
        cast(visits.visits_before as double) as visits_before,
        cast(visits.visits_after as double) as visits_after,
        greatest({{ seconds_between('acts.started_at', 'acts.applied_at') }} / 3600.0, 0.25) as hours_before,
        {{ seconds_between('acts.applied_at', 'acts.measured_until') }} / 3600.0 as hours_after,
        greatest(coalesce(trend.usual_per_day, 0.0), 0.1) as usual_per_day
    from {{ ref('int_mitigation_acts') }} as acts
    inner join complaints on acts.plan_id = complaints.plan_id
    left join heard on acts.plan_id = heard.plan_id
    left join visits on acts.plan_id = visits.plan_id
    left join {{ ref('int_issue_trend') }} as trend on acts.issue_id = trend.issue_id

),

telemetry as (

    select
        acts.plan_id,
        case telemetry.measure when 'errors' then 'errors' else 'conversion' end as metric,
        telemetry.source_name,
        telemetry.bucket_start >= acts.applied_at as is_after,
        telemetry.exposure,
        -- Failures: errors, or those who entered the step and did not complete it.
        case telemetry.measure when 'errors' then telemetry.observed else telemetry.exposure - telemetry.observed end
            as failures,
        case telemetry.measure when 'errors' then telemetry.expected else telemetry.exposure - telemetry.expected end
            as usual,
        telemetry.spread
    from {{ ref('int_mitigation_acts') }} as acts
    inner join {{ ref('int_issue_telemetry') }} as telemetry
        on
            acts.issue_id = telemetry.issue_id
            and acts.started_at <= telemetry.bucket_start
            and acts.measured_until > telemetry.bucket_start
            and telemetry.measure in ('errors', 'completions')

),

summed as (

    select
        plan_id,
        metric,
        source_name,
        coalesce(sum(failures) filter (where not is_after), 0.0) as count_before,
        coalesce(sum(exposure) filter (where not is_after), 0.0) as exposure_before,
        coalesce(sum(usual) filter (where not is_after), 0.0) as usual_before,
        coalesce(sum(failures) filter (where is_after), 0.0) as count_after,
        coalesce(sum(exposure) filter (where is_after), 0.0) as exposure_after,
        coalesce(sum(usual) filter (where is_after), 0.0) as usual_after,
        max(spread) as spread
    from telemetry
    group by plan_id, metric, source_name

),

ranked as (

    select
        *,
        row_number() over (
            partition by plan_id, metric
            order by
                {{ rounded('(count_before - usual_before) / sqrt(spread * greatest(usual_before, 1.0))') }} desc,
                source_name asc
        ) as place
    from summed

)

select
    plan_id,
    'complaints' as metric,
    cast(null as {{ dbt.type_string() }}) as source_name,
    case when has_visits then 'visits' else 'hours' end as exposure_unit,
    count_before,
    case when has_visits then visits_before else hours_before end as exposure_before,
    case when is_heard then count_after end as count_after,
    case when has_visits then visits_after else hours_after end as exposure_after,
    -- As many complaints as are usual in the hours before, for as many visits as after.
    usual_per_day * hours_before / 24.0
    * case when has_visits then visits_after / visits_before else hours_after / hours_before end as usual_after,
    -- Counts of days vary by a quarter beyond chance (`dispersion` in formulas.sql).
    1.0 / 16.0 as relative_variance,
    1.0 as spread
from exposed

union all

select
    plan_id,
    metric,
    source_name,
    case metric when 'errors' then 'requests' else 'entered' end as exposure_unit,
    count_before,
    exposure_before,
    case when exposure_after > 0 then count_after end as count_after,
    exposure_after,
    usual_after,
    0.0 as relative_variance,
    spread
from ranked
where place = 1

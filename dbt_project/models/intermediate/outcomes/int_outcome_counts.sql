-- Counts before and after, with their exposure, for each series in each window of an intervention, zeros included.
-- Exposure: visits of the product and scope where they are counted both before and after, else hours; those who entered
-- the step; orders. `peak_rate` is that of the day with most before the act. A series is quiet in a window that no
-- issue of its own touches.
with blocks as (

    select * from {{ ref('int_outcome_blocks') }}

),

visits as (

    select
        intervention_id,
        shift,
        product,
        scope_value,
        block,
        exposure,
        sum(case when block > 0 then exposure end) over (
            partition by intervention_id, shift, product, scope_value
        ) as visits_before,
        sum(case when block = 0 then exposure end) over (
            partition by intervention_id, shift, product, scope_value
        ) as visits_after
    from blocks
    where measure = 'visits'

),

visited as (

    select distinct
        intervention_id,
        shift,
        product,
        scope_value,
        visits_before,
        visits_after
    from visits
    where visits_before > 0 and visits_after > 0

),

series as (

    select distinct
        intervention_id,
        measure,
        product,
        series,
        scope_value
    from blocks
    where measure <> 'visits'

),

windows as (

    select
        *,
        {{ seconds_between('before_from', 'acted_at') }} / 3600.0 as hours_before,
        {{ seconds_between('acted_at', 'measured_until') }} / 3600.0 as hours_after
    from {{ ref('int_outcome_windows') }}

),

sums as (

    select
        intervention_id,
        shift,
        measure,
        product,
        series,
        scope_value,
        sum(case when block > 0 then amount else 0.0 end) as count_before,
        sum(case when block = 0 then amount else 0.0 end) as count_after,
        sum(case when block > 0 then exposure else 0.0 end) as exposure_before,
        sum(case when block = 0 then exposure else 0.0 end) as exposure_after
    from blocks
    where measure <> 'visits'
    group by intervention_id, shift, measure, product, series, scope_value

),

peaks as (

    select
        blocks.intervention_id,
        blocks.shift,
        blocks.measure,
        blocks.product,
        blocks.series,
        blocks.scope_value,
        max(
            blocks.amount / case
                when blocks.measure in ('failed_attempts', 'refunds') then nullif(blocks.exposure, 0.0)
                when visited.intervention_id is not null then nullif(visits.exposure, 0.0)
                else greatest(1.0, least(24.0, windows.hours_before - 24.0 * (blocks.block - 1)))
            end
        ) as peak_rate,
        max(blocks.amount) as peak_count
    from blocks
    inner join windows on blocks.intervention_id = windows.intervention_id and blocks.shift = windows.shift
    left join visited
        on
            blocks.intervention_id = visited.intervention_id
            and blocks.shift = visited.shift
            and blocks.product = visited.product
            and blocks.scope_value = visited.scope_value
    left join visits
        on
            blocks.intervention_id = visits.intervention_id
            and blocks.shift = visits.shift
            and blocks.product = visits.product
            and blocks.scope_value = visits.scope_value
            and blocks.block = visits.block
    where blocks.measure <> 'visits' and blocks.block > 0
    group by
        blocks.intervention_id, blocks.shift, blocks.measure, blocks.product, blocks.series, blocks.scope_value

),

-- By all scopes of a series, or by one.
troubled as (

    select
        *,
        scope_value = '(any)' as is_whole
    from {{ ref('int_outcome_troubled') }}

),

joined as (

    select
        series.intervention_id,
        windows.issue_id,
        windows.shift,
        windows.hours_before,
        windows.hours_after,
        series.measure,
        series.product,
        series.series,
        windows.scope_kind,
        series.scope_value,
        series.product = windows.product
        and series.scope_value = windows.scope_value
        and series.series = case series.measure
            when 'failed_attempts' then coalesce(windows.funnel_step, '')
            when 'refunds' then case when windows.refunds_follow then 'orders' else '' end
            else windows.issue_type
        end as is_treated,
        whole.intervention_id is null and scoped.intervention_id is null as is_untroubled,
        coalesce(sums.count_before, 0.0) as count_before,
        coalesce(sums.count_after, 0.0) as count_after,
        case
            when series.measure = 'failed_attempts' then 'entered'
            when series.measure = 'refunds' then 'orders'
            when visited.intervention_id is not null then 'visits'
            else 'hours'
        end as exposure_unit,
        case
            when series.measure in ('failed_attempts', 'refunds') then coalesce(sums.exposure_before, 0.0)
            else coalesce(visited.visits_before, windows.hours_before)
        end as exposure_before,
        case
            when series.measure in ('failed_attempts', 'refunds') then coalesce(sums.exposure_after, 0.0)
            else coalesce(visited.visits_after, windows.hours_after)
        end as exposure_after,
        coalesce(peaks.peak_rate, 0.0) as peak_rate,
        coalesce(peaks.peak_count, 0.0) as peak_count
    from series
    inner join windows on series.intervention_id = windows.intervention_id
    left join sums
        on
            series.intervention_id = sums.intervention_id
            and windows.shift = sums.shift
            and series.measure = sums.measure
            and series.product = sums.product
            and series.series = sums.series
            and series.scope_value = sums.scope_value
    left join peaks
        on
            series.intervention_id = peaks.intervention_id
            and windows.shift = peaks.shift
            and series.measure = peaks.measure
            and series.product = peaks.product
            and series.series = peaks.series
            and series.scope_value = peaks.scope_value
    left join visited
        on
            series.intervention_id = visited.intervention_id
            and windows.shift = visited.shift
            and series.product = visited.product
            and series.scope_value = visited.scope_value
    left join troubled as whole
        on
            series.intervention_id = whole.intervention_id
            and windows.shift = whole.shift
            and series.product = whole.product
            and series.measure = whole.measure
            and series.series = whole.series
            and whole.is_whole
    left join troubled as scoped
        on
            series.intervention_id = scoped.intervention_id
            and windows.shift = scoped.shift
            and series.product = scoped.product
            and series.measure = scoped.measure
            and series.series = scoped.series
            and series.scope_value = scoped.scope_value

)

select
    intervention_id,
    issue_id,
    shift,
    hours_before,
    hours_after,
    measure,
    product,
    series,
    scope_kind,
    scope_value,
    is_treated,
    is_untroubled and not (is_treated and shift = 0) as is_quiet,
    count_before,
    count_after,
    exposure_unit,
    exposure_before,
    exposure_after,
    peak_rate,
    peak_count
from joined

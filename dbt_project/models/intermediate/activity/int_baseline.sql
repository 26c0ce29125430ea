-- Baseline of each series on each day on which it is counted: its daily counts on the 28 days from 4 to 31 back. A day
-- far above its own expectation (an incident) is winsorized to the edge of the normal range, so that one incident does
-- not hide the next. Days of issues that people rejected are excluded, and the baseline has fewer days.
with daily as (

    select
        product,
        issue_type,
        scope_kind,
        scope_value,
        {{ day_of('tick') }} as day,
        cast(sum(feedback_count) as double) as feedback_count,
        cast(sum(calm_count) as double) as calm_count
    from {{ ref('int_complaints') }}
    where tick > {{ rebuild_from() }} - {{ days(2 * var('baseline_last_day')) }}
    group by product, issue_type, scope_kind, scope_value, {{ day_of('tick') }}

),

-- Feedback of one day stays in the trailing counts for three more.
days as (

    select
        daily.product,
        daily.issue_type,
        daily.scope_kind,
        daily.scope_value,
        daily.day + numbers.n * {{ days(1) }} as day,
        sum(case when numbers.n = 0 then daily.feedback_count else 0.0 end) as feedback_count,
        sum(case when numbers.n = 0 then daily.calm_count else 0.0 end) as calm_count
    from daily
    cross join {{ trailing_days() }}
    group by
        daily.product, daily.issue_type, daily.scope_kind, daily.scope_value, daily.day + numbers.n * {{ days(1) }}

),

history as (

    select
        product,
        {{ day_of('min(counted_at)') }} as first_day
    from {{ ref('int_feedback') }}
    group by product

),

-- The first day of a product's history is partial and has no count.
whole_days as (

    select
        days.*,
        case when days.day > history.first_day then days.feedback_count end as whole_count,
        case when days.day > history.first_day then days.calm_count end as whole_calm,
        least(
            {{ baseline_days() }}.0,
            greatest(
                0.0,
                round({{ seconds_between('history.first_day', 'days.day') }} / 86400.0)
                - {{ var('baseline_first_day') }}.0
            )
        ) as baseline_days
    from days
    inner join history on days.product = history.product

),

first_pass as (

    select
        *,
        coalesce(sum(whole_count) over baseline, 0.0) as raw_total
    from whole_days
    window baseline as (
        partition by product, issue_type, scope_kind, scope_value
        order by day
        {{ in_baseline() }}
    )

),

winsorized as (

    select
        *,
        case
            when whole_count is null or baseline_days = 0 then whole_count
            else least(
                whole_count,
                {{ poisson_rate('raw_total', 'baseline_days') }}
                + 3.0 * sqrt({{ poisson_rate('raw_total', 'baseline_days') }}) + 1.0
            )
        end as winsorized_count
    from first_pass

),

-- What is no complaint is tamed with the day that it is part of.
tamed as (

    select
        *,
        whole_calm * least(1.0, winsorized_count / greatest(whole_count, 1.0)) as winsorized_calm
    from winsorized

),

second_pass as (

    select
        product,
        issue_type,
        scope_kind,
        scope_value,
        day,
        baseline_days,
        coalesce(sum(winsorized_count) over baseline, 0.0) as baseline_total,
        coalesce(sum(winsorized_calm) over baseline, 0.0) as baseline_calm,
        coalesce(sum(winsorized_count * winsorized_count) over baseline, 0.0) as baseline_squares
    from tamed
    window baseline as (
        partition by product, issue_type, scope_kind, scope_value
        order by day
        {{ in_baseline() }}
    )

),

excluded as (

    select
        exclusions.product,
        exclusions.issue_type,
        exclusions.scope_kind,
        exclusions.scope_value,
        exclusions.day,
        cast(count(*) as double) as days,
        coalesce(sum(winsorized.winsorized_count), 0.0) as total,
        coalesce(sum(winsorized.winsorized_count * winsorized.winsorized_count), 0.0) as squares
    from {{ ref('int_baseline_days_excluded') }} as exclusions
    inner join history on exclusions.product = history.product
    left join winsorized
        on
            exclusions.product = winsorized.product
            and exclusions.issue_type = winsorized.issue_type
            and exclusions.scope_kind = winsorized.scope_kind
            and exclusions.scope_value = winsorized.scope_value
            and exclusions.excluded_day = winsorized.day
    where exclusions.excluded_day > history.first_day
    group by exclusions.product, exclusions.issue_type, exclusions.scope_kind, exclusions.scope_value, exclusions.day

)

select
    second_pass.product,
    second_pass.issue_type,
    second_pass.scope_kind,
    second_pass.scope_value,
    second_pass.day,
    second_pass.baseline_days - coalesce(excluded.days, 0.0) as baseline_days,
    greatest(0.0, second_pass.baseline_total - coalesce(excluded.total, 0.0)) as baseline_total,
    greatest(0.0, second_pass.baseline_squares - coalesce(excluded.squares, 0.0)) as baseline_squares,
    second_pass.baseline_calm
from second_pass
left join excluded
    on
        second_pass.product = excluded.product
        and second_pass.issue_type = excluded.issue_type
        and second_pass.scope_kind = excluded.scope_kind
        and second_pass.scope_value = excluded.scope_value
        and second_pass.day = excluded.day
where second_pass.day >= {{ rebuild_from() }}

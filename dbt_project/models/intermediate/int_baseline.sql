-- What a normal day looks like for each series, on each day on which it is counted: its daily counts on the 28 days
-- from 4 to 31 back. A day far above its own expectation (a known incident) enters at the edge of the normal range
-- instead of at full height, so that one incident does not hide the next; a day that people rejected as no incident at
-- all does not enter, and the baseline has a day less.
with daily as (

    select
        product,
        issue_type,
        scope_kind,
        scope_value,
        {{ day_of('tick') }} as day,
        cast(sum(feedback_count) as double) as feedback_count
    from {{ ref('int_complaints') }}
    where tick > {{ rebuild_from() }} - interval '1488' hour
    group by product, issue_type, scope_kind, scope_value, {{ day_of('tick') }}

),

later as (

    select days.n from (values (0), (1), (2), (3)) as days (n)

),

-- What is said on one day is in the trailing counts for three more.
days as (

    select
        daily.product,
        daily.issue_type,
        daily.scope_kind,
        daily.scope_value,
        daily.day + later.n * interval '24' hour as day,
        sum(case when later.n = 0 then daily.feedback_count else 0.0 end) as feedback_count
    from daily
    cross join later
    group by
        daily.product, daily.issue_type, daily.scope_kind, daily.scope_value, daily.day + later.n * interval '24' hour

),

history as (

    select
        product,
        {{ day_of('min(counted_at)') }} as first_day
    from {{ ref('fct_feedback') }}
    group by product

),

-- The first day of a product's history is not a whole one.
whole_days as (

    select
        days.*,
        case when days.day > history.first_day then days.feedback_count end as whole_count,
        least(28.0, greatest(0.0, round({{ seconds_between('history.first_day', 'days.day') }} / 86400.0) - 4.0))
            as baseline_days
    from days
    inner join history on days.product = history.product

),

left_out as (

    select days_out.*
    from {{ ref('int_left_out_days') }} as days_out
    inner join history on days_out.product = history.product
    where days_out.left_out_day > history.first_day

),

left_out_counts as (

    select
        left_out.product,
        left_out.issue_type,
        left_out.scope_kind,
        left_out.scope_value,
        left_out.day,
        cast(count(*) as double) as days,
        sum(whole_days.whole_count) as total
    from left_out
    left join whole_days
        on
            left_out.product = whole_days.product
            and left_out.issue_type = whole_days.issue_type
            and left_out.scope_kind = whole_days.scope_kind
            and left_out.scope_value = whole_days.scope_value
            and left_out.left_out_day = whole_days.day
    group by left_out.product, left_out.issue_type, left_out.scope_kind, left_out.scope_value, left_out.day

),

every_day as (

    select
        *,
        coalesce(sum(whole_count) over baseline, 0.0) as every_total
    from whole_days
    window baseline as (
        partition by product, issue_type, scope_kind, scope_value
        order by day
        range between interval '744' hour preceding and interval '96' hour preceding
    )

),

first_pass as (

    select
        every_day.product,
        every_day.issue_type,
        every_day.scope_kind,
        every_day.scope_value,
        every_day.day,
        every_day.whole_count,
        every_day.baseline_days - coalesce(left_out_counts.days, 0.0) as baseline_days,
        every_day.every_total - coalesce(left_out_counts.total, 0.0) as raw_total
    from every_day
    left join left_out_counts
        on
            every_day.product = left_out_counts.product
            and every_day.issue_type = left_out_counts.issue_type
            and every_day.scope_kind = left_out_counts.scope_kind
            and every_day.scope_value = left_out_counts.scope_value
            and every_day.day = left_out_counts.day

),

tamed as (

    select
        *,
        case
            when whole_count is null or baseline_days = 0 then whole_count
            else least(
                whole_count,
                {{ poisson_rate('raw_total', 'baseline_days') }}
                + 3.0 * sqrt({{ poisson_rate('raw_total', 'baseline_days') }}) + 1.0
            )
        end as tamed_count
    from first_pass

),

left_out_sums as (

    select
        left_out.product,
        left_out.issue_type,
        left_out.scope_kind,
        left_out.scope_value,
        left_out.day,
        sum(tamed.tamed_count) as total,
        sum(tamed.tamed_count * tamed.tamed_count) as squares
    from left_out
    inner join tamed
        on
            left_out.product = tamed.product
            and left_out.issue_type = tamed.issue_type
            and left_out.scope_kind = tamed.scope_kind
            and left_out.scope_value = tamed.scope_value
            and left_out.left_out_day = tamed.day
    group by left_out.product, left_out.issue_type, left_out.scope_kind, left_out.scope_value, left_out.day

),

second_pass as (

    select
        product,
        issue_type,
        scope_kind,
        scope_value,
        day,
        baseline_days,
        coalesce(sum(tamed_count) over baseline, 0.0) as baseline_total,
        coalesce(sum(tamed_count * tamed_count) over baseline, 0.0) as baseline_squares
    from tamed
    window baseline as (
        partition by product, issue_type, scope_kind, scope_value
        order by day
        range between interval '744' hour preceding and interval '96' hour preceding
    )

)

select
    second_pass.product,
    second_pass.issue_type,
    second_pass.scope_kind,
    second_pass.scope_value,
    second_pass.day,
    second_pass.baseline_days,
    greatest(0.0, second_pass.baseline_total - coalesce(left_out_sums.total, 0.0)) as baseline_total,
    greatest(0.0, second_pass.baseline_squares - coalesce(left_out_sums.squares, 0.0)) as baseline_squares
from second_pass
left join left_out_sums
    on
        second_pass.product = left_out_sums.product
        and second_pass.issue_type = left_out_sums.issue_type
        and second_pass.scope_kind = left_out_sums.scope_kind
        and second_pass.scope_value = left_out_sums.scope_value
        and second_pass.day = left_out_sums.day
where second_pass.day >= {{ rebuild_from() }}

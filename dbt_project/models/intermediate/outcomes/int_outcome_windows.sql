-- Windows around each intervention whose outcome may still change (`shift` 0), and the same windows moved back by whole
-- days, which serve as placebos. Before: from the onset to the act, a week at most. After: a week, or until the act
-- was undone, or to as-of.
with shifts as (

    select numbers.n from {{ numbers(0, 24) }}

),

due as (

    select
        interventions.intervention_id,
        interventions.issue_id,
        interventions.acted_at,
        interventions.window_ends_at,
        spans.started_at,
        spans.product,
        spans.issue_type,
        spans.funnel_step,
        spans.refunds_follow,
        spans.scope_kind,
        spans.scope_value,
        greatest(spans.started_at, interventions.acted_at - {{ days(var('outcome_days')) }}) as before_from,
        least(
            interventions.window_ends_at,
            coalesce(interventions.ended_at, interventions.window_ends_at),
            {{ as_of() }}
        ) as measured_until
    from {{ ref('int_interventions') }} as interventions
    inner join {{ ref('int_issue_spans') }} as spans on interventions.issue_id = spans.issue_id
    where {{ outcome_is_due('interventions') }}

),

measured as (

    select
        *,
        -- Whole days, so that the hour of the day stays.
        cast(ceil({{ seconds_between('before_from', 'measured_until') }} / 86400.0) as int) * 1440 as step_minutes
    from due
    where before_from < acted_at and acted_at < measured_until

)

select
    measured.intervention_id,
    measured.issue_id,
    shifts.n as shift,
    measured.product,
    measured.issue_type,
    measured.funnel_step,
    measured.refunds_follow,
    measured.scope_kind,
    measured.scope_value,
    measured.before_from - {{ minutes('shifts.n * measured.step_minutes') }} as before_from,
    measured.acted_at - {{ minutes('shifts.n * measured.step_minutes') }} as acted_at,
    measured.measured_until - {{ minutes('shifts.n * measured.step_minutes') }} as measured_until,
    measured.window_ends_at
from measured
cross join shifts
where shifts.n * measured.step_minutes <= {{ var('outcome_history_days') * 1440 }}

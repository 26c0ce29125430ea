-- What each phase of an issue cost. Phases follow each other without a gap from the onset to complaints at their usual
-- level, each named after the clock that ended it.
{% set clocks = [
    ('to_know', 'could_have_known_at'), ('to_detect', 'detected_at'), ('to_ticket', 'ticketed_at'),
    ('to_touch', 'first_touched_at'), ('to_plan', 'plan_proposed_at'), ('to_approve', 'approved_at'),
    ('to_force', 'in_force_at'), ('to_verify', 'verified_at'), ('to_fix', 'fixed_at'), ('to_usual', 'usual_again_at')
] %}
with issues as (

    select
        issues.issue_id,
        issues.product,
        issues.issue_type,
        issues.priority,
        issues.started_at,
        clocks.could_have_known_at,
        clocks.detected_at,
        clocks.ticketed_at,
        clocks.first_touched_at,
        clocks.plan_proposed_at,
        clocks.approved_at,
        clocks.in_force_at,
        clocks.verified_at,
        clocks.fixed_at,
        clocks.usual_again_at,
        coalesce(clocks.usual_again_at, {{ as_of() }}) as over_at,
        coalesce(
            least(clocks.in_force_at, clocks.fixed_at, clocks.usual_again_at), {{ as_of() }}
        ) as helped_at
    from {{ ref('fct_issues') }} as issues
    inner join {{ ref('int_issue_clocks') }} as clocks on issues.issue_id = clocks.issue_id

),

ends as (

    {% for phase, clock in clocks %}
        select
            issue_id,
            '{{ phase }}' as phase,
            {{ loop.index }} as position,
            {{ clock }} as ended_at
        from issues
        where {{ clock }} <= over_at

        union all

    {% endfor %}
    select
        issue_id,
        'ongoing' as phase,
        {{ clocks | length + 1 }} as position,
        over_at as ended_at
    from issues
    where usual_again_at is null

),

phases as (

    select
        issues.issue_id,
        issues.product,
        issues.issue_type,
        issues.priority,
        ends.phase,
        row_number() over (
            partition by ends.issue_id
            order by ends.ended_at asc, ends.position asc
        ) as phase_number,
        count(*) over (partition by ends.issue_id) as phases,
        coalesce(
            lag(ends.ended_at) over (
                partition by ends.issue_id
                order by ends.ended_at asc, ends.position asc
            ), issues.started_at
        ) as started_at,
        ends.ended_at,
        ends.phase <> 'to_know' and ends.ended_at <= issues.helped_at as is_waiting
    from ends
    inner join issues on ends.issue_id = issues.issue_id

),

-- What was said before the onset belongs to the first phase, what came after the last to the last.
placed as (

    select
        phases.issue_id,
        phases.phase,
        course.complaints,
        course.new_customers,
        course.failed_attempts,
        course.lost_value
    from phases
    inner join {{ ref('int_issue_course') }} as course
        on
            phases.issue_id = course.issue_id
            and (phases.phase_number = 1 or phases.started_at <= course.happened_at)
            and (phases.phase_number = phases.phases or phases.ended_at > course.happened_at)

),

sums as (

    select
        issue_id,
        phase,
        sum(complaints) as complaints,
        sum(new_customers) as customers,
        sum(cast(failed_attempts as decimal(24, 6))) as failed_attempts,
        sum(cast(lost_value as decimal(24, 6))) as lost_value
    from placed
    group by issue_id, phase

),

-- Issues whose journey step is measured: there, a phase without attempts lost none.
measured as (

    select distinct issue_id
    from {{ ref('int_issue_course') }}
    where entered is not null

)

select
    phases.issue_id,
    phases.product,
    phases.issue_type,
    phases.priority,
    phases.phase,
    cast(phases.phase_number as bigint) as phase_number,
    phases.started_at,
    phases.ended_at,
    phases.is_waiting,
    {{ rounded(seconds_between('phases.started_at', 'phases.ended_at') ~ ' / 3600.0') }} as hours,
    cast(coalesce(sums.complaints, 0) as bigint) as complaints,
    cast(coalesce(sums.customers, 0) as bigint) as customers,
    cast(case when measured.issue_id is not null then coalesce(sums.failed_attempts, 0) end as double)
        as failed_attempts,
    {{ rounded('cast(case when measured.issue_id is not null then coalesce(sums.lost_value, 0) end as double)', 2) }}
        as lost_value
from phases
left join sums on phases.issue_id = sums.issue_id and phases.phase = sums.phase
left join measured on phases.issue_id = measured.issue_id

-- Shifts of telemetry as evidence on each change that no version in telemetry tells apart (a back-end release, an
-- index, a configuration, a flag): it acts at once, on the service that it names or, without one, on any service of the
-- issue's type. For it speaks a shift that begins right after it; against it one that began at another time or on
-- another service, a service of its own that stayed as it was, and a shift that ended while the change stayed.
with told_apart as (

    select distinct
        issue_id,
        change_id
    from {{ ref('int_release_telemetry') }}
    where is_touched and (requests_after > 0 or requests_sibling > 0)

),

candidates as (

    select
        candidates.*,
        lower(candidates.service) as own_service
    from {{ ref('int_release_candidates') }} as candidates
    left join told_apart
        on candidates.issue_id = told_apart.issue_id and candidates.change_id = told_apart.change_id
    where told_apart.change_id is null

),

touched as (

    select
        issues.issue_id,
        touched.service as source_name
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('int_touched_services') }} as touched on issues.issue_type = touched.issue_type

),

-- Falls of a step that a failing service explains: it began to fail when the step fell, or before.
explained as (

    select distinct steps.issue_id
    from {{ ref('int_issue_shifts') }} as steps
    inner join {{ ref('int_issue_shifts') }} as services on steps.issue_id = services.issue_id
    inner join touched on services.issue_id = touched.issue_id and services.source_name = touched.source_name
    where
        steps.source_kind = 'step'
        and services.source_kind = 'service'
        and services.strength >= 0.3
        and steps.shifted_before + {{ hours(1) }} > services.shifted_at
        and steps.shifted_at - {{ hours(6) }} < services.shifted_at

),

-- Shifts that a later change ended: one of the same service or of none (a flag), in the six hours before the end.
repaired as (

    select distinct
        shifts.issue_id,
        shifts.source_name,
        shifts.measure
    from {{ ref('int_issue_shifts') }} as shifts
    inner join {{ ref('int_issues') }} as issues on shifts.issue_id = issues.issue_id
    inner join {{ ref('int_changes') }} as repairs
        on
            issues.product = repairs.product
            and shifts.until - {{ hours(6) }} < repairs.changed_at
            and shifts.until >= repairs.changed_at
            and shifts.shifted_before < repairs.changed_at
            and (shifts.source_name = lower(repairs.service) or repairs.service is null or shifts.source_kind = 'step')
    where shifts.is_over and repairs.platform is null

),

compared as (

    select
        candidates.issue_id,
        candidates.change_id,
        shifts.source_kind,
        shifts.measure,
        shifts.shifted_at,
        shifts.ratio,
        shifts.strength,
        shifts.exposure,
        shifts.is_over,
        case
            when shifts.source_kind = 'step' then candidates.serves_the_step is not false
            when candidates.own_service is not null then candidates.own_service = shifts.source_name
            else touched.source_name is not null
        end as is_its_own,
        touched.source_name is not null or shifts.source_kind = 'step' as is_of_issue,
        -- The fall of a step is explained by the service that failed; where none did, by any change that serves it.
        case
            when shifts.source_kind = 'step' and explained.issue_id is not null then 0.0
            -- A change cannot cause what began before it; a bucket shows when only to its own length.
            when shifts.shifted_before <= candidates.changed_at then 0.0
            -- When a gradual one began cannot be told: half at most.
            when shifts.is_gradual
                then
                    least(0.5, shifts.strength * exp(
                        -greatest(0.0, {{ seconds_between('candidates.changed_at', 'shifts.shifted_at') }})
                        / 3600.0 / 24.0
                    ))
            else
                shifts.strength * exp(
                    -greatest(0.0, {{ seconds_between('candidates.changed_at', 'shifts.shifted_at') }})
                    / 3600.0 / {{ var('shift_fading_hours') }}.0
                )
        end as matching,
        shifts.is_over and repaired.source_name is null as has_ended_by_itself
    from candidates
    inner join {{ ref('int_issue_shifts') }} as shifts on candidates.issue_id = shifts.issue_id
    left join touched on shifts.issue_id = touched.issue_id and shifts.source_name = touched.source_name
    left join explained on candidates.issue_id = explained.issue_id
    left join repaired
        on
            shifts.issue_id = repaired.issue_id
            and shifts.source_name = repaired.source_name
            and shifts.measure = repaired.measure

),

ranked as (

    select
        *,
        row_number() over (
            partition by issue_id, change_id
            order by case when is_its_own then matching else 0.0 end desc, strength desc, measure asc, shifted_at asc
        ) as match_place,
        row_number() over (
            partition by issue_id, change_id
            order by case when is_of_issue then strength else 0.0 end desc, measure asc, shifted_at asc
        ) as strength_place
    from compared

),

summed as (

    select
        issue_id,
        change_id,
        coalesce(max(case when is_its_own then matching end), 0.0) as shift,
        coalesce(max(case when is_of_issue then strength end), 0.0) as strongest,
        max(case when is_its_own and source_kind = 'service' then strength end) as own_strength,
        max(case when is_its_own and source_kind = 'service' then exposure end) as own_exposure,
        max(case when is_its_own and has_ended_by_itself then matching end) as shift_ended,
        max(case when match_place = 1 then measure end) as matching_measure,
        max(case when match_place = 1 then ratio end) as matching_ratio,
        max(case when match_place = 1 then shifted_at end) as matching_at,
        max(case when strength_place = 1 then measure end) as strongest_measure,
        max(case when strength_place = 1 then ratio end) as strongest_ratio,
        max(case when strength_place = 1 then shifted_at end) as strongest_at
    from ranked
    group by issue_id, change_id

)

select
    issue_id,
    change_id,
    {{ rounded('shift') }} as shift,
    -- What moved, moved at another time or elsewhere.
    {{ rounded('greatest(0.0, strongest - 2.0 * shift)') }} as shift_elsewhen,
    -- Its own service had enough requests to show it, and stayed as it was.
    case
        when shift = 0.0 and own_strength = 0.0 and own_exposure >= 1000.0 then 1.0
        else 0.0
    end as unmoved,
    {{ rounded('coalesce(shift_ended, 0.0)') }} as recovered,
    -- What is shown: the shift that speaks for the change, else the strongest.
    case when shift > 0.0 then matching_measure else strongest_measure end as shift_measure,
    {{ rounded('case when shift > 0.0 then matching_ratio else strongest_ratio end') }} as shift_ratio,
    case when shift > 0.0 then matching_at else strongest_at end as shifted_at
from summed

-- Interventions: what may have ended or eased an issue. Mitigations that were carried out; the change that undid the
-- suspect, else the first three releases while it lasted; the first closing of its ticket by a person. A release or
-- flag change within a quarter of an hour of a mitigation is that mitigation, reported by another system.
with spans as (

    select * from {{ ref('int_issue_spans') }}

),

mitigations as (

    select
        spans.issue_id,
        plans.plan_id as intervention_id,
        'mitigation' as kind,
        plans.applied_at as acted_at,
        plans.undone_at as ended_at,
        plans.plan_id,
        plans.mitigation,
        cast(null as {{ dbt.type_string() }}) as change_id,
        cast(null as {{ dbt.type_string() }}) as version,
        cast(null as {{ dbt.type_string() }}) as ticket_event,
        plans.last_actor as actor,
        false as undoes_suspect
    from {{ ref('int_mitigation_plans') }} as plans
    inner join spans on plans.issue_id = spans.issue_id
    where plans.applied_at is not null

),

releases as (

    select
        spans.issue_id,
        releases.release_id,
        releases.version,
        releases.owner,
        releases.deployed_at,
        coalesce(outcomes.change_id = releases.release_id, false) as undoes_suspect,
        row_number() over (
            partition by spans.issue_id
            order by releases.deployed_at asc, releases.release_id asc
        ) as place
    from spans
    inner join {{ ref('stg_releases') }} as releases
        on
            spans.product = releases.product
            and spans.detected_at < releases.deployed_at
            and coalesce(spans.resolved_at, {{ as_of() }}) > releases.deployed_at
            and releases.deployed_at <= {{ as_of() }}
            and releases.known_at <= releases.deployed_at + {{ days(var('outcome_days')) }}
            and (spans.platform is null or releases.platform is null or spans.platform = lower(releases.platform))
    left join {{ ref('int_mitigation_outcomes') }} as outcomes on spans.issue_id = outcomes.issue_id
    where {{ is_production('releases.environment') }}

),

changes as (

    select
        issue_id,
        'fixing_release' as kind,
        deployed_at as acted_at,
        release_id as change_id,
        version,
        owner as actor,
        undoes_suspect
    from releases
    where undoes_suspect or place <= 3

    union all

    select
        issue_id,
        'flag_change' as kind,
        undone_at as acted_at,
        change_id,
        cast(null as {{ dbt.type_string() }}) as version,
        cast(null as {{ dbt.type_string() }}) as actor,
        true as undoes_suspect
    from {{ ref('int_mitigation_outcomes') }}
    where undone_by = 'flag_reverted'

),

by_others as (

    select changes.*
    from changes
    left join mitigations
        on
            changes.issue_id = mitigations.issue_id
            and mitigations.acted_at - {{ minutes('15') }} <= changes.acted_at
            and mitigations.acted_at + {{ minutes('15') }} >= changes.acted_at
    where mitigations.issue_id is null

),

closings as (

    select
        events.issue_id,
        events.event_id,
        events.value,
        events.actor,
        events.occurred_at,
        row_number() over (
            partition by events.issue_id
            order by events.occurred_at asc, events.event_id asc
        ) as place
    from {{ ref('stg_ticket_events') }} as events
    inner join spans on events.issue_id = spans.issue_id
    where
        events.by_person
        and events.event = 'status'
        and events.resolution = 'resolved'
        and events.occurred_at > spans.detected_at
        and events.known_at <= events.occurred_at + {{ days(var('outcome_late_days')) }}
        and coalesce(spans.resolved_at, {{ as_of() }}) >= events.occurred_at

),

everything as (

    select * from mitigations

    union all

    select
        issue_id,
        issue_id || '/' || change_id as intervention_id,
        kind,
        acted_at,
        cast(null as timestamp) as ended_at,
        cast(null as {{ dbt.type_string() }}) as plan_id,
        cast(null as {{ dbt.type_string() }}) as mitigation,
        change_id,
        version,
        cast(null as {{ dbt.type_string() }}) as ticket_event,
        actor,
        undoes_suspect
    from by_others

    union all

    select
        issue_id,
        issue_id || '/' || event_id as intervention_id,
        'person_act' as kind,
        occurred_at as acted_at,
        cast(null as timestamp) as ended_at,
        cast(null as {{ dbt.type_string() }}) as plan_id,
        cast(null as {{ dbt.type_string() }}) as mitigation,
        cast(null as {{ dbt.type_string() }}) as change_id,
        cast(null as {{ dbt.type_string() }}) as version,
        value as ticket_event,
        actor,
        false as undoes_suspect
    from closings
    where place = 1

)

select
    everything.issue_id,
    everything.intervention_id,
    spans.product,
    spans.issue_type,
    everything.kind,
    everything.acted_at,
    everything.ended_at,
    everything.plan_id,
    everything.mitigation,
    everything.change_id,
    everything.version,
    everything.ticket_event,
    everything.actor,
    everything.undoes_suspect,
    everything.acted_at + {{ days(var('outcome_days')) }} as window_ends_at
from everything
inner join spans on everything.issue_id = spans.issue_id

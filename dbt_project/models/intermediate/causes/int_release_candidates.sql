-- Candidates for the cause of each issue: changes in production from 14 days before the onset to a day after the first
-- elevated tick (the onset is an estimate), and before detection. What a change serves is read from the service that it
-- names, else from the flag's key and feature.
with patterns as (

    -- A type that touches every service says nothing of one of them.
    select * from {{ ref('service_map') }}
    where service_pattern <> '%'

),

candidates as (

    select
        issues.issue_id,
        issues.product,
        issues.issue_type,
        issues.started_at,
        issues.first_tick,
        issues.ended_at,
        changes.change_id,
        changes.change_kind,
        changes.version,
        changes.platform,
        changes.service,
        changes.feature,
        changes.names,
        changes.changed_at,
        {{ seconds_between('changes.changed_at', 'issues.started_at') }} / 3600.0 as hours_to_onset,
        -- The onset is an estimate: the rise lies between the first complaint and the first elevated tick.
        {{ seconds_between('issues.first_tick', 'changes.changed_at') }} / 3600.0 as hours_after_rise
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('int_changes') }} as changes
        on
            issues.product = changes.product
            and issues.started_at - {{ days(var('candidate_days')) }} < changes.changed_at
            and issues.first_tick + {{ days(var('grace_days')) }} >= changes.changed_at
            and issues.detected_at > changes.changed_at

),

served as (

    select
        candidates.issue_id,
        candidates.change_id,
        max(case when candidates.names like patterns.service_pattern then 1 else 0 end) as serves
    from candidates
    inner join patterns on candidates.issue_type = patterns.issue_type
    where candidates.names is not null
    group by candidates.issue_id, candidates.change_id

)

select
    candidates.issue_id,
    candidates.product,
    candidates.issue_type,
    candidates.started_at,
    candidates.first_tick,
    candidates.ended_at,
    candidates.change_id,
    candidates.change_kind,
    candidates.version,
    candidates.platform,
    candidates.service,
    candidates.feature,
    candidates.changed_at,
    candidates.hours_to_onset,
    candidates.hours_after_rise,
    -- Null where the map or the change does not say; the name of a flag can only speak for it.
    case
        when served.serves = 1 then true
        when served.serves = 0 and candidates.service is not null then false
    end as serves_the_step
from candidates
left join served on candidates.issue_id = served.issue_id and candidates.change_id = served.change_id

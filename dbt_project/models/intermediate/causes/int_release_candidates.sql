-- Candidates for the cause of each issue: production releases and flag changes of the 14 days before the onset, with a
-- day's grace because the onset is an estimate, and before detection. A flag switched several times within one minute
-- is one change.
with changes as (

    select
        release_id as change_id,
        'release' as change_kind,
        product,
        version,
        platform,
        service,
        deployed_at as changed_at
    from {{ ref('stg_releases') }}
    where lower(environment) in ('production', 'prod', 'live')

    union all

    select
        {{ flag_change_id('flag_key', 'changed_at') }} as change_id,
        'flag' as change_kind,
        product,
        cast(null as {{ dbt.type_string() }}) as version,
        cast(null as {{ dbt.type_string() }}) as platform,
        cast(null as {{ dbt.type_string() }}) as service,
        min(changed_at) as changed_at
    from {{ ref('stg_flag_changes') }}
    where lower(environment) in ('production', 'prod', 'live')
    group by product, {{ flag_change_id('flag_key', 'changed_at') }}

)

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
    changes.changed_at,
    greatest(0.0, {{ seconds_between('changes.changed_at', 'issues.started_at') }} / 3600.0) as hours_to_onset
from {{ ref('int_issues') }} as issues
inner join changes
    on
        issues.product = changes.product
        and issues.started_at - {{ days(var('candidate_days')) }} < changes.changed_at
        and issues.started_at + {{ days(var('grace_days')) }} >= changes.changed_at
        and issues.detected_at > changes.changed_at

{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

-- What people did to the suspect of each issue while it lasted: the release rolled back or followed by another, the
-- flag switched again. It tells whether an act that was only recorded would have been right.
with suspects as (

    select
        issues.issue_id,
        issues.product,
        issues.detected_at,
        issues.ended_at,
        suspects.suspect_platform_id,
        suspects.suspect_previous_version,
        suspects.suspect_flag,
        suspects.suspect_flag_enabled,
        suspects.suspect_changed_at
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('int_issue_suspect') }} as suspects on issues.issue_id = suspects.issue_id

),

undone as (

    select
        suspects.issue_id,
        case when releases.version = suspects.suspect_previous_version then 'rolled_back' else 'fixed' end as undone_by,
        releases.deployed_at as undone_at,
        releases.release_id as change_id
    from suspects
    inner join {{ ref('stg_releases') }} as releases
        on
            suspects.product = releases.product
            and suspects.suspect_flag is null
            and coalesce(suspects.suspect_platform_id, '') = coalesce(lower(releases.platform), '')
            and suspects.suspect_changed_at < releases.deployed_at
            and suspects.detected_at < releases.deployed_at
            and suspects.ended_at >= releases.deployed_at
    where {{ is_production('releases.environment') }}

    union all

    select
        suspects.issue_id,
        'flag_reverted' as undone_by,
        flags.changed_at as undone_at,
        {{ flag_change_id('flags.flag_key', 'flags.changed_at') }} as change_id
    from suspects
    inner join {{ ref('stg_flag_changes') }} as flags
        on
            suspects.product = flags.product
            and suspects.suspect_flag = flags.flag_key
            and suspects.suspect_changed_at < flags.changed_at
            and suspects.detected_at < flags.changed_at
            and suspects.ended_at >= flags.changed_at
            and suspects.suspect_flag_enabled <> flags.enabled
    where {{ is_production('flags.environment') }}

),

ranked as (

    select
        *,
        min(case when undone_by = 'fixed' then undone_at end) over (partition by issue_id) as fixed_at,
        row_number() over (
            partition by issue_id
            order by undone_at asc, change_id asc
        ) as place
    from undone

)

select
    issue_id,
    undone_by,
    undone_at,
    change_id,
    fixed_at
from ranked
where place = 1

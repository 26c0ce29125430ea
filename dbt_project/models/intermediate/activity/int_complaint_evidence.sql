{{ config(materialized='incremental', meta={'rebuilt_by': 'tick'}, pre_hook="{{ forget_since('tick') }}") }}

-- Text evidence of each series at each look: how much its complaints of the last 1, 4, 24 and 72 hours speak against
-- chance. Looks are the ticks at which complaints are counted, and the same 1, 2, 4 and 8 hours later, when telemetry
-- of that time has come in. Versions (int_version_evidence) are scopes as well.
with complaints as (

    select
        product,
        issue_type,
        scope_kind,
        scope_value,
        tick,
        fresh_1h,
        fresh_4h
    from {{ ref('int_complaints') }}
    where issue_type <> '(any)' and tick > {{ rebuild_from() }} - {{ hours(var('trailing_hours')) }}

),

activity as (

    select * from {{ ref('int_issue_activity') }}
    where tick > {{ rebuild_from() }} - {{ hours(var('trailing_hours')) }}

),

steps as (

    select
        complaints.product,
        complaints.issue_type,
        complaints.scope_kind,
        complaints.scope_value,
        complaints.tick + looks.n * {{ hours(1) }} as tick,
        case when looks.n = 0 then complaints.fresh_1h else 0.0 end as fresh_1h,
        case when looks.n = 0 then complaints.fresh_4h else 0.0 end as fresh_4h,
        1 as is_look,
        cast(null as timestamp) as activity_tick
    from complaints
    cross join (values (0), (1), (2), (4), (8)) as looks (n)

    union all

    select
        product,
        issue_type,
        scope_kind,
        scope_value,
        tick,
        0.0 as fresh_1h,
        0.0 as fresh_4h,
        0 as is_look,
        tick as activity_tick
    from activity

),

timeline as (

    select
        product,
        issue_type,
        scope_kind,
        scope_value,
        tick,
        sum(fresh_1h) as fresh_1h,
        sum(fresh_4h) as fresh_4h,
        max(is_look) as is_look,
        max(activity_tick) as activity_tick
    from steps
    group by product, issue_type, scope_kind, scope_value, tick

),

-- The counts of a day and of three stay as they were at the last tick at which they changed.
running as (

    select
        product,
        issue_type,
        scope_kind,
        scope_value,
        tick,
        is_look,
        {{ running_sums({'evidence': 'fresh_1h'}, ['product', 'issue_type', 'scope_kind', 'scope_value'], [1]) }},
        {{ running_sums({'evidence': 'fresh_4h'}, ['product', 'issue_type', 'scope_kind', 'scope_value'], [4]) }},
        max(activity_tick) over (
            partition by product, issue_type, scope_kind, scope_value
            order by tick
            rows unbounded preceding
        ) as activity_tick
    from timeline

),

looks as (

    select
        running.product,
        running.issue_type,
        running.scope_kind,
        running.scope_value,
        running.tick,
        running.evidence_1h,
        running.evidence_4h,
        activity.evidence as evidence_24h,
        activity.evidence_72h,
        activity.feedback_count_72h,
        activity.expected,
        activity.score,
        activity.score_72h,
        greatest(1.0, coalesce(hours.factor, {{ var('short_window_peak') }})) * activity.explained / 24.0
            as explained_1h,
        greatest(1.0, coalesce(hours.factor, {{ var('short_window_peak') }})) * activity.explained / 6.0
            as explained_4h,
        activity.explained as explained_24h,
        activity.explained_72h,
        (activity.dispersion - 1.0) / greatest(activity.explained, 0.05) as spread
    from running
    inner join activity
        on
            running.product = activity.product
            and running.issue_type = activity.issue_type
            and running.scope_kind = activity.scope_kind
            and running.scope_value = activity.scope_value
            and running.activity_tick = activity.tick
            and running.tick < activity.valid_to
    left join {{ ref('int_hour_of_day') }} as hours
        on
            running.product = hours.product
            and {{ day_of('running.tick') }} = hours.day
            and {{ hour_of('running.tick') }} = hours.hour
    cross join {{ ref('stg_playbook_settings') }} as settings
    where
        running.is_look = 1
        and running.tick > {{ rebuild_from() }}
        and running.tick <= {{ as_of() }}
        and activity.baseline_days >= settings.min_baseline_days

)

select
    product,
    issue_type,
    scope_kind,
    scope_value,
    tick,
    feedback_count_72h,
    evidence_24h,
    evidence_72h,
    expected,
    {{ rounded('explained_24h') }} as explained_24h,
    {{ rounded('explained_72h') }} as explained_72h,
    greatest(score, score_72h) as score,
    {{ rounded(log_e_value_of_windows('evidence', 'explained', [1, 4, 24, 72], [2.0, 4.0, 8.0, 16.0])) }} as log_e_value
from looks

union all

select
    product,
    issue_type,
    'app_version' as scope_kind,
    app_version as scope_value,
    tick,
    feedback_count_72h,
    evidence_24h,
    evidence_72h,
    greatest(explained_24h, 0.01) as expected,
    explained_24h,
    explained_72h,
    0.0 as score,
    log_e_value
from {{ ref('int_version_evidence') }}

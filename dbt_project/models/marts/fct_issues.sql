{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

with evidence as (

    select * from {{ ref('int_issue_evidence') }}

),

excess as (

    select * from {{ ref('int_issue_excess') }}

),

taxonomy as (

    select * from {{ ref('taxonomy') }}

),

routing as (

    select * from {{ ref('routing') }}

),

rules as (

    select * from {{ ref('stg_playbook_rules') }}

),

settings as (

    select * from {{ ref('stg_playbook_settings') }}

),

-- Rounded before comparing and ranking: the value that people read is the value that decided.
severity as (

    select
        issue_id,
        {{ rounded('least(100.0, sum(points))', 2) }} as severity_score
    from {{ ref('fct_issue_severity_terms') }}
    group by issue_id

),

prioritised as (

    select
        evidence.*,
        taxonomy.title as issue_title,
        severity.severity_score,
        rules.ticket_from,
        coalesce(routing.owner, taxonomy.default_owner) as owner,
        coalesce(excess.excess, 0.0) as excess_feedback,
        -- Text alone is urgent only where it is clearly beyond chance, whatever the floor of its type.
        coalesce(
            evidence.peak_score < case
                when evidence.has_technical or evidence.has_business then settings.urgent_score_confirmed
                else settings.urgent_score
            end,
            false
        ) as may_be_chance,
        case
            when evidence.verdict = 'regression' then rules.action_regression
            else rules.action_otherwise
        end as recommended_action,
        -- As text 'P1' < 'P2': the lesser of two priorities is the more urgent.
        least(
            rules.priority_floor,
            case
                when severity.severity_score >= settings.p1_from then 'P1'
                when severity.severity_score >= settings.p2_from then 'P2'
                when severity.severity_score >= settings.p3_from then 'P3'
                else 'P4'
            end
        ) as unheld_priority
    from evidence
    inner join severity on evidence.issue_id = severity.issue_id
    inner join taxonomy on evidence.issue_type = taxonomy.issue_type
    inner join rules on evidence.issue_type = rules.issue_type
    left join routing on evidence.product = routing.product and evidence.issue_type = routing.issue_type
    left join excess on evidence.issue_id = excess.issue_id
    cross join settings

),

held as (

    select
        *,
        case
            when rests_on_strangers or may_be_chance then greatest(unheld_priority, 'P3')
            else unheld_priority
        end as priority,
        case
            when rests_on_strangers and unheld_priority < 'P3' then 'unknown_people'
            when may_be_chance and unheld_priority < 'P3' then 'chance'
        end as priority_held_back_by
    from prioritised

),

queued as (

    select
        *,
        case
            when status = 'open'
                then row_number() over (
                    partition by status
                    order by priority asc, severity_score desc, issue_id asc
                )
        end as queue_position
    from held

)

select
    ---------- ids
    issue_id,
    product,
    issue_type,
    suspect_release_id,

    ---------- text
    issue_title,
    scope_platform,
    scope_version,
    scope_country,
    scope_feature,
    status,
    verdict,
    priority,
    priority_held_back_by,
    suspect_version,
    owner,
    recommended_action,
    ticket_from,
    {{ issue_sentence() }} as summary,
    case
        when recurrences >= 2
            then {{ as_text('recurrences + 1') }} || ' times in half a year: plan a lasting fix, not another repair.'
        when verdict = 'regression' then 'Fix it in the next release.'
        when days_lasting >= 14.0
            then 'It has lasted ' || {{ whole('days_lasting') }} || ' days: it belongs on the roadmap.'
        else 'Nothing to plan yet.'
    end as roadmap_hint,

    ---------- numerics
    severity_score,
    case when verdict = 'regression' then candidate_confidence end as release_confidence,
    cast(feedback_count as bigint) as feedback_count,
    {{ rounded('excess_feedback') }} as excess_feedback,
    {{ rounded('coalesce(peak_times_expected, 1.0)') }} as peak_times_expected,
    {{ rounded('evidence', 4) }} as evidence,
    cast(customers_affected as bigint) as customers_affected,
    cast(known_people as bigint) as known_people,
    cast(new_accounts as bigint) as new_accounts,
    revenue_at_risk,
    case when has_business then lost_conversion_value else 0.0 end as lost_conversion_value,
    refund_value,
    churn_value,
    cast(signals as bigint) as signals,
    cast(coalesce(recurrences, 0) as bigint) as recurrences,
    cast(queue_position as bigint) as queue_position,

    ---------- booleans
    has_technical,
    has_business,
    has_support,
    has_change,
    rollback_supported,

    ---------- timestamps
    started_at,
    detected_at,
    resolved_at
from queued

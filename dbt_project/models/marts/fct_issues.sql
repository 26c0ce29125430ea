with evidence as (

    select * from {{ ref('int_issue_evidence') }}

),

severity as (

    select issue_id, least(100.0, sum(points)) as severity_score
    from {{ ref('fct_issue_severity_terms') }}
    group by issue_id

),

excess as (

    select * from {{ ref('int_issue_excess') }}

),

prioritised as (

    select
        evidence.*,
        taxonomy.title as issue_title,
        coalesce(routing.owner, taxonomy.default_owner) as owner,
        severity.severity_score,
        coalesce(excess.excess, 0.0) as excess_feedback,
        rules.ticket_from,
        rules.action_regression,
        rules.action_otherwise,
        -- 'P1' < 'P2' as text, so the more urgent of two priorities is the lesser.
        least(
            rules.priority_floor,
            case
                when severity.severity_score >= settings.p1_from then 'P1'
                when severity.severity_score >= settings.p2_from then 'P2'
                when severity.severity_score >= settings.p3_from then 'P3'
                else 'P4'
            end
        ) as priority
    from evidence
    inner join severity on evidence.issue_id = severity.issue_id
    inner join {{ ref('taxonomy') }} as taxonomy on evidence.issue_type = taxonomy.issue_type
    inner join {{ ref('stg_playbook_rules') }} as rules on evidence.issue_type = rules.issue_type
    left join {{ ref('routing') }} as routing
        on evidence.product = routing.product and evidence.issue_type = routing.issue_type
    left join excess on evidence.issue_id = excess.issue_id
    cross join {{ ref('stg_playbook_settings') }} as settings

),

described as (

    select
        *,
        case
            when status = 'open' then row_number() over (
                partition by status order by priority asc, severity_score desc, issue_id asc
            )
        end as queue_position,
        case when verdict = 'regression' then action_regression else action_otherwise end as recommended_action,
        coalesce(' on ' || scope_platform, '')
        || coalesce(' version ' || coalesce(scope_version, suspect_version), '')
        || coalesce(' in ' || scope_country, '')
        || coalesce(' around ' || scope_feature, '') as where_it_is
    from prioritised

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
    suspect_version,
    owner,
    recommended_action,
    ticket_from,
    issue_title || where_it_is || ': ' || cast(feedback_count as {{ dbt.type_string() }}) || ' complaints since '
    || substring(cast(started_at as {{ dbt.type_string() }}), 1, 16) || ' UTC, at the peak '
    || cast(cast(round(coalesce(peak_times_expected, 1.0)) as bigint) as {{ dbt.type_string() }}) || ' times the usual rate. '
    || cast(customers_affected as {{ dbt.type_string() }}) || ' customers are affected'
    || case
        when revenue_at_risk >= 1.0
            then ' and revenue of about ' || cast(cast(round(revenue_at_risk) as bigint) as {{ dbt.type_string() }}) || ' is at risk. '
        else '. '
    end
    || 'Severity ' || cast(cast(round(severity_score) as bigint) as {{ dbt.type_string() }}) || ' of 100 (' || priority || '), '
    || case signals
        when 1 then 'from customers'' words alone. '
        else 'agreed by ' || cast(signals as {{ dbt.type_string() }}) || ' independent kinds of signal. '
    end
    || case verdict
        when 'regression'
            then case candidate_kind when 'flag' then 'Suspect: flag change ' else 'Suspect: release ' end || suspect_release_id
                || ' (confidence ' || cast(cast(round(candidate_confidence * 100.0) as bigint) as {{ dbt.type_string() }}) || ' %).'
        when 'no_regression' then 'No release explains it.'
        when 'inconclusive' then 'A release may be involved; the evidence is not conclusive.'
        else 'There is too little data to say whether a release is the cause.'
    end as summary,

    ---------- numerics
    cast(severity_score as double) as severity_score,
    cast(case when verdict = 'regression' then candidate_confidence end as double) as release_confidence,
    cast(feedback_count as bigint) as feedback_count,
    cast(excess_feedback as double) as excess_feedback,
    cast(coalesce(peak_times_expected, 1.0) as double) as peak_times_expected,
    cast(customers_affected as bigint) as customers_affected,
    cast(revenue_at_risk as double) as revenue_at_risk,
    cast(lost_conversion_value as double) as lost_conversion_value,
    cast(churn_value as double) as churn_value,
    cast(signals as bigint) as signals,
    cast(queue_position as bigint) as queue_position,

    ---------- booleans
    has_technical,
    has_business,
    has_support,
    has_change,

    ---------- timestamps
    started_at,
    detected_at,
    resolved_at
from described

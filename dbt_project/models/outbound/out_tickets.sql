with issues as (

    select * from {{ ref('fct_issues') }}
    where priority <= ticket_from

),

terms as (

    select
        issue_id,
        {{ json_list({
            'term': 'term', 'value': 'round(value, 3)', 'weight': 'weight', 'points': 'points', 'why': 'meaning'
        }, ['-points', 'term']) }} as severity_terms
    from {{ ref('fct_issue_severity_terms') }}
    group by issue_id

),

evidence as (

    select
        issue_id,
        {{ json_list({
            'position': 'position', 'kind': 'kind', 'subject': 'subject', 'subject_title': 'subject_title',
            'stance': 'stance', 'measure': 'measure', 'value': 'value', 'baseline': 'baseline', 'share': 'share',
            'counted': 'counted', 'total': 'total', 'happened_at': minute_of('happened_at'), 'sentence': 'sentence'
        }, ['position']) }} as evidence
    from {{ ref('fct_issue_evidence') }}
    group by issue_id

),

quotes as (

    select
        issue_id,
        {{ json_list({
            'feedback_id': 'feedback_id', 'text': 'text', 'channel': 'channel', 'occurred_at': 'occurred_at',
            'rating': 'rating', 'country': 'country', 'app_version': 'app_version', 'symptom': 'symptom',
            'is_in_scope': 'is_in_scope'
        }, ['quote_rank']) }} as quotes
    from {{ ref('fct_issue_quotes') }}
    group by issue_id

)

-- Rounded: the last digits of a sum depend on the order in which threads add.
select
    issues.issue_id,
    issues.product,
    issues.issue_type,
    issues.issue_title,
    issues.scope_platform,
    issues.scope_version,
    issues.scope_country,
    issues.scope_feature,
    issues.status,
    issues.priority,
    cast(round(issues.severity_score, 6) as double) as severity_score,
    issues.verdict,
    issues.suspect_release_id,
    issues.suspect_version,
    cast(round(issues.release_confidence, 6) as double) as release_confidence,
    issues.started_at,
    issues.detected_at,
    issues.resolved_at,
    issues.feedback_count,
    issues.customers_affected,
    cast(round(issues.revenue_at_risk, 2) as double) as revenue_at_risk,
    issues.signals,
    issues.owner,
    routing.accountable,
    routing.consulted,
    routing.informed,
    issues.recommended_action,
    rules.links,
    issues.summary,
    facts.suspect_kind,
    facts.suspect_platform,
    facts.suspect_service,
    facts.suspect_previous_version,
    facts.suspect_url,
    facts.suspect_flag,
    facts.suspect_flag_enabled,
    facts.suspect_rollout_percent,
    facts.suspect_changed_at,
    facts.rollback_supported,
    facts.confidence_weighed,
    facts.confidence_to_blame,
    facts.platform_title,
    facts.direction,
    facts.latest_day,
    facts.complaints_latest_day,
    facts.complaints_day_before,
    facts.complaints_since,
    facts.usual_per_day,
    facts.currency,
    facts.currencies,
    facts.orders_lost,
    facts.lost_orders_value,
    facts.conversion_during,
    facts.conversion_before,
    facts.refund_value,
    facts.churn_value,
    facts.symptoms,
    terms.severity_terms,
    evidence.evidence,
    coalesce(quotes.quotes, '[]') as quotes,
    {{ as_of() }} as as_of
from issues
inner join terms on issues.issue_id = terms.issue_id
inner join evidence on issues.issue_id = evidence.issue_id
inner join {{ ref('fct_issue_facts') }} as facts on issues.issue_id = facts.issue_id
inner join {{ ref('stg_playbook_rules') }} as rules on issues.issue_type = rules.issue_type
left join quotes on issues.issue_id = quotes.issue_id
left join {{ ref('routing') }} as routing
    on issues.product = routing.product and issues.issue_type = routing.issue_type

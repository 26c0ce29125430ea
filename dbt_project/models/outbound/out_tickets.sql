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

    select issue_id, {{ json_list({'kind': 'kind', 'statement': 'statement'}, ['position']) }} as evidence
    from {{ ref('int_issue_statements') }}
    group by issue_id

),

quotes as (

    select
        issue_id,
        {{ json_list({
            'feedback_id': 'feedback_id', 'text': 'text', 'channel': 'channel', 'occurred_at': 'occurred_at',
            'rating': 'rating', 'country': 'country', 'app_version': 'app_version'
        }, ['quote_rank']) }} as quotes
    from {{ ref('int_issue_quotes') }}
    group by issue_id

)

-- Rounded here, because the last digits of a sum depend on the order in which threads add.
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
    issues.summary,
    terms.severity_terms,
    evidence.evidence,
    coalesce(quotes.quotes, '[]') as quotes,
    {{ as_of() }} as as_of
from issues
inner join terms on issues.issue_id = terms.issue_id
inner join evidence on issues.issue_id = evidence.issue_id
left join quotes on issues.issue_id = quotes.issue_id
left join {{ ref('routing') }} as routing
    on issues.product = routing.product and issues.issue_type = routing.issue_type

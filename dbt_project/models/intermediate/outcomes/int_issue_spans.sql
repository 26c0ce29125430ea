{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

-- What outcomes need to know of each issue: its times, the series that it lies in, and what one complaint is worth.
select
    issues.issue_id,
    issues.product,
    issues.issue_type,
    case
        when scope.scope_platform is not null then 'platform'
        when scope.scope_country is not null then 'country'
        else 'all'
    end as scope_kind,
    coalesce(scope.scope_platform, scope.scope_country, 'all') as scope_value,
    lower(scope.scope_platform) as platform,
    taxonomy.funnel_step,
    taxonomy.refunds_follow,
    issues.started_at,
    issues.detected_at,
    issues.resolved_at,
    issues.ended_at,
    case
        when customers.feedback_count > 0 then {{ rounded('customers.churn_value / customers.feedback_count', 4) }}
    end as customer_value
from {{ ref('int_issues') }} as issues
inner join {{ ref('int_issue_scope') }} as scope on issues.issue_id = scope.issue_id
inner join {{ ref('taxonomy') }} as taxonomy on issues.issue_type = taxonomy.issue_type
left join {{ ref('int_issue_customers') }} as customers on issues.issue_id = customers.issue_id

-- The scope of each issue in one row: the dimension values that explain it, null where none does.
select
    issues.issue_id,
    max(case when scopes.scope_kind = 'platform' then scopes.scope_value end) as scope_platform,
    max(case when scopes.scope_kind = 'app_version' then scopes.scope_value end) as scope_version,
    max(case when scopes.scope_kind = 'country' then scopes.scope_value end) as scope_country,
    max(case when scopes.scope_kind = 'feature' then scopes.scope_value end) as scope_feature
from {{ ref('int_issues') }} as issues
left join {{ ref('int_issue_scope_candidates') }} as scopes
    on
        issues.issue_id = scopes.issue_id
        and scopes.explains_issue
group by issues.issue_id

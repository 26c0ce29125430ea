-- The journey step that the type of each issue touches (taxonomy), inside the issue's platform if it has one, by bucket
-- from the onset to the end.
select
    issues.issue_id,
    funnel.bucket_start,
    sum(cast(funnel.entered as double)) as entered,
    sum(cast(funnel.completed as double)) as completed
from {{ ref('int_issues') }} as issues
inner join {{ ref('int_issue_scope') }} as scope on issues.issue_id = scope.issue_id
inner join {{ ref('taxonomy') }} as taxonomy on issues.issue_type = taxonomy.issue_type
inner join {{ ref('stg_funnel_metrics') }} as funnel
    on
        issues.product = funnel.product
        and taxonomy.funnel_step = funnel.step
        and issues.started_at <= funnel.bucket_start
        and issues.ended_at > funnel.bucket_start
        and coalesce(scope.scope_platform = funnel.platform, true)
group by issues.issue_id, funnel.bucket_start

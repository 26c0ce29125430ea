-- Explanations that compete for each issue: releases and flag changes, and the alternatives to them.
select
    issue_id,
    change_id,
    change_kind,
    true as is_change,
    product,
    version,
    platform,
    changed_at,
    hours_to_onset,
    cast(null as double) as alternative_evidence
from {{ ref('int_release_candidates') }}

union all

select
    alternatives.issue_id,
    alternatives.alternative_id as change_id,
    alternatives.kind as change_kind,
    false as is_change,
    issues.product,
    cast(null as {{ dbt.type_string() }}) as version,
    cast(null as {{ dbt.type_string() }}) as platform,
    alternatives.since as changed_at,
    cast(null as double) as hours_to_onset,
    alternatives.evidence as alternative_evidence
from {{ ref('int_issue_alternatives') }} as alternatives
inner join {{ ref('int_issues') }} as issues on alternatives.issue_id = issues.issue_id

-- Series that had an issue of their own in a window: they are no controls there, and no placebos. An issue of one
-- platform or country troubles that one alone.
with troubled as (

    select distinct
        windows.intervention_id,
        windows.shift,
        episodes.product,
        episodes.issue_type,
        taxonomy.funnel_step,
        taxonomy.refunds_follow,
        case
            when spans.scope_kind = windows.scope_kind and spans.scope_kind <> 'all' then spans.scope_value
            else '(any)'
        end as scope_value
    from {{ ref('int_outcome_windows') }} as windows
    inner join {{ ref('int_episodes') }} as episodes
        on
            windows.before_from <= episodes.elevated_until
            and windows.measured_until >= episodes.first_tick - {{ days(1) }}
    inner join {{ ref('taxonomy') }} as taxonomy on episodes.issue_type = taxonomy.issue_type
    left join {{ ref('int_issue_spans') }} as spans on episodes.issue_id = spans.issue_id

)

select
    intervention_id,
    shift,
    product,
    'complaints' as measure,
    issue_type as series,
    scope_value
from troubled

union distinct

select
    intervention_id,
    shift,
    product,
    'support_contacts' as measure,
    issue_type as series,
    scope_value
from troubled

union distinct

select
    intervention_id,
    shift,
    product,
    'failed_attempts' as measure,
    funnel_step as series,
    scope_value
from troubled
where funnel_step is not null

union distinct

select
    intervention_id,
    shift,
    product,
    'refunds' as measure,
    'orders' as series,
    scope_value
from troubled
where refunds_follow

with judged as (

    select
        product,
        issue_type,
        date_trunc('month', detected_at) as month,
        case
            when rejected_at is not null then 'rejected'
            when lower(resolved_as) like '%duplicate%' or lower(resolved_as) like '%merged%' then 'merged'
            when resolved_by_person_at is not null then 'confirmed'
        end as verdict
    from {{ ref('fct_issue_lifecycle') }}
    where ticketed_at is not null

)

select
    product,
    issue_type,
    month,
    cast(count(*) as bigint) as ticketed,
    cast(count(verdict) as bigint) as judged,
    cast(count(*) filter (where verdict = 'confirmed') as bigint) as confirmed,
    cast(count(*) filter (where verdict = 'merged') as bigint) as merged,
    cast(count(*) filter (where verdict = 'rejected') as bigint) as rejected,
    case
        when count(verdict) > 0
            then {{ rounded("cast(count(*) filter (where verdict <> 'rejected') as double) / count(verdict)") }}
    end as share_right
from judged
group by product, issue_type, month

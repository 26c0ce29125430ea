{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

-- Up to five quotes per issue, masked, from distinct texts, surest label first: what a person reads to believe the
-- numbers.
with quoted as (

    select
        members.*,
        row_number() over (
            partition by members.issue_id, lower(members.masked_text)
            order by members.occurred_at, members.feedback_id
        ) as copy_number
    from {{ ref('int_issue_feedback') }} as members
    where length(members.masked_text) >= 20

),

ranked as (

    select
        *,
        row_number() over (
            partition by issue_id
            order by
                case when length(masked_text) between 40 and 280 then 0 else 1 end,
                round(confidence * 20.0) desc,
                occurred_at desc,
                feedback_id asc
        ) as quote_rank
    from quoted
    where copy_number = 1

)

select
    issue_id,
    quote_rank,
    feedback_id,
    case when length(masked_text) > 400 then substring(masked_text, 1, 399) || '…' else masked_text end as text,
    channel,
    substring(cast(occurred_at as {{ dbt.type_string() }}), 1, 16) as occurred_at,
    cast(round(rating) as bigint) as rating,
    country,
    app_version
from ranked
where quote_rank <= 5

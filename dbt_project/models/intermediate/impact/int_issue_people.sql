-- People who complained of each issue (feedback of an unknown person counts one each), with their segment's weight and
-- what is lost with them, all as known when the issue ended. A customer who complains twice counts once.
with known as (

    select
        members.issue_id,
        members.feedback_id,
        members.person_key,
        members.occurred_at,
        lower(coalesce(customers.segment, members.customer_segment)) as segment,
        cast(customers.lifetime_value as double) as lifetime_value,
        taxonomy.churn_probability,
        members.is_established,
        members.is_new_account,
        row_number() over (
            partition by members.issue_id, members.feedback_id
            order by customers.version desc
        ) as version_rank
    from {{ ref('int_issue_feedback') }} as members
    inner join {{ ref('int_issues') }} as issues on members.issue_id = issues.issue_id
    inner join {{ ref('taxonomy') }} as taxonomy on issues.issue_type = taxonomy.issue_type
    left join {{ ref('stg_customers') }} as customers
        on members.customer_id = customers.customer_id and issues.ended_at >= customers.known_at

)

select
    known.issue_id,
    known.person_key,
    min(known.occurred_at) as first_said_at,
    max(case when known.is_established then 1 else 0 end) as is_established,
    max(case when known.is_new_account then 1 else 0 end) as is_new,
    max(coalesce(weights.weight, 0.0)) as segment_weight,
    {{ rounded('max(coalesce(known.lifetime_value, 0.0)) * max(known.churn_probability)') }} as churn_value
from known
left join {{ ref('segment_weights') }} as weights on known.segment = weights.segment
where known.version_rank = 1
group by known.issue_id, known.person_key

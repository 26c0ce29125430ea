-- Masked quotes of each issue, five at most: from the affected scope where it has any, one for each symptom before a
-- second for one, surest label and newest first. Copies of a text count as one.
with members as (

    select
        members.*,
        symptoms.symptom,
        case
            when
                coalesce(members.platform = scope.scope_platform, scope.scope_platform is null)
                and coalesce(members.app_version = scope.scope_version, scope.scope_version is null)
                and coalesce(members.country = scope.scope_country, scope.scope_country is null)
                and coalesce(members.feature = scope.scope_feature, scope.scope_feature is null)
                then 0
            else 1
        end as out_of_scope,
        row_number() over (
            partition by members.issue_id, members.feedback_id
            order by coalesce(symptoms.position, 99)
        ) as symptom_number,
        coalesce(symptoms.position, 99) as symptom_position
    from {{ ref('int_issue_feedback') }} as members
    inner join {{ ref('int_issue_scope') }} as scope on members.issue_id = scope.issue_id
    left join {{ ref('int_issue_complaint_symptoms') }} as described
        on members.issue_id = described.issue_id and members.feedback_id = described.feedback_id
    left join {{ ref('int_issue_symptoms') }} as symptoms
        on described.issue_id = symptoms.issue_id and described.symptom = symptoms.symptom
    where length(members.masked_text) >= 20

),

quoted as (

    select
        *,
        row_number() over (
            partition by issue_id, lower(masked_text)
            order by out_of_scope, occurred_at, feedback_id
        ) as copy_number
    from members
    where symptom_number = 1

),

ranked as (

    select
        *,
        row_number() over (
            partition by issue_id, symptom_position
            order by
                out_of_scope asc,
                case when length(masked_text) between 40 and 280 then 0 else 1 end asc,
                round(confidence * 20.0) desc,
                occurred_at desc,
                feedback_id asc
        ) as rank_in_symptom
    from quoted
    where copy_number = 1

),

chosen as (

    select
        *,
        row_number() over (
            partition by issue_id
            order by
                out_of_scope asc,
                case when symptom_position < 99 then rank_in_symptom else 9 end asc,
                symptom_position asc,
                case when length(masked_text) between 40 and 280 then 0 else 1 end asc,
                round(confidence * 20.0) desc,
                occurred_at desc,
                feedback_id asc
        ) as quote_rank
    from ranked

)

select
    issue_id,
    quote_rank,
    feedback_id,
    case when length(masked_text) > 400 then substring(masked_text, 1, 399) || '…' else masked_text end as text,
    channel,
    {{ minute_of('occurred_at') }} as occurred_at,
    cast(round(rating) as bigint) as rating,
    country,
    app_version,
    symptom,
    out_of_scope = 0 as is_in_scope
from chosen
where quote_rank <= 5

-- Symptoms of each issue, most frequent first: those of the seed that two complaints or more describe; without any, key
-- phrases of several words from three complaints or more.
with phrases as (

    select
        members.issue_id,
        members.feedback_id,
        {{ key_phrases_of('feedback.key_phrases') }} as key_phrase
    from {{ ref('int_issue_feedback') }} as members
    inner join {{ ref('int_feedback') }} as feedback on members.feedback_id = feedback.feedback_id
    where feedback.counted_at > {{ history_from() }}

),

described as (

    select
        issue_id,
        symptom,
        false as is_phrase,
        cast(count(*) as bigint) as complaints
    from {{ ref('int_issue_complaint_symptoms') }}
    group by issue_id, symptom
    having count(*) >= 2

),

repeated as (

    select
        phrases.issue_id,
        lower(phrases.key_phrase.phrase) as symptom,
        true as is_phrase,
        cast(count(distinct phrases.feedback_id) as bigint) as complaints
    from phrases
    where phrases.key_phrase.phrase like '% %'
    group by phrases.issue_id, lower(phrases.key_phrase.phrase)
    having count(distinct phrases.feedback_id) >= 3

),

symptoms as (

    select * from described

    union all

    select * from repeated
    where issue_id not in (select described.issue_id from described)

),

ranked as (

    select
        *,
        row_number() over (partition by issue_id order by complaints desc, symptom asc) as position
    from symptoms

)

select
    issue_id,
    position,
    symptom,
    is_phrase,
    complaints
from ranked
where position <= 4

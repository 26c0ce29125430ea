-- Symptoms of each complaint of an issue: those of the seed with a pattern that its text matches.
select
    members.issue_id,
    members.feedback_id,
    symptoms.symptom
from {{ ref('int_issue_feedback') }} as members
inner join {{ ref('int_issues') }} as issues on members.issue_id = issues.issue_id
inner join {{ ref('symptoms') }} as symptoms
    on
        issues.issue_type = symptoms.issue_type
        and lower(members.masked_text) like symptoms.pattern
group by members.issue_id, members.feedback_id, symptoms.symptom

{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

-- End of the excess of each issue, where complaints are back at their usual level: the last complaint before the first
-- day whose count is elevated no more, and after which none is. A count is that of the day before it, so it falls a day
-- late; and it is of what had become known, so of that the newest that was said.
with back as (

    select
        issue_id,
        count_elevated_until,
        greatest(count_elevated_until - {{ days(1) }}, detected_at) as quiet_from
    from {{ ref('int_episodes') }}
    where is_live and count_elevated_until <= {{ as_of() }}

)

select
    back.issue_id,
    back.count_elevated_until,
    max(feedback.occurred_at) as usual_again_at
from back
inner join {{ ref('int_issue_feedback') }} as feedback
    on back.issue_id = feedback.issue_id and back.quiet_from >= feedback.counted_at
group by back.issue_id, back.count_elevated_until

{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

select
    issue_id,
    change_id,
    term,
    {{ rounded('value') }} as value,
    weight,
    -- Product of the rounded value: it has at most eight digits, so no engine has to round a tie.
    {{ rounded('weight * ' ~ rounded('value') ~ ' + 0.0', 8) }} as contribution,
    meaning
from {{ ref('int_release_terms') }}

{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

select
    issue_id,
    change_id,
    term,
    {{ rounded('value') }} as value,
    weight,
    {{ rounded('contribution') }} as contribution,
    meaning
from {{ ref('int_release_terms') }}

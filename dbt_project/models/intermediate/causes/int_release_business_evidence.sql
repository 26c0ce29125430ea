-- Funnel as evidence on each candidate: completions of the issue's journey step on the candidate's platform after it,
-- against the 28 days before and the completions on other platforms at the same time. Bots that enter and leave lower
-- the conversion but complete nothing less: completions must be missing. Bots that complete elsewhere make those here
-- look too few, so completions must be missing against as many days before as well. A change without a platform has no
-- control here, and no row.
with compared as (

    select
        candidates.issue_id,
        candidates.change_id,
        date_trunc('day', funnel.bucket_start) as day,
        funnel.bucket_start >= candidates.changed_at as is_after,
        funnel.platform = candidates.platform as is_its_own,
        {{ seconds_between('funnel.bucket_start', 'candidates.changed_at') }} / 86400.0 as days_before,
        {{ seconds_between('candidates.changed_at', 'candidates.ended_at') }} / 86400.0 as days_after,
        funnel.provenance,
        cast(funnel.entered as double) as entered,
        cast(funnel.completed as double) as completed
    from {{ ref('int_release_candidates') }} as candidates
    inner join {{ ref('taxonomy') }} as taxonomy on candidates.issue_type = taxonomy.issue_type
    inner join {{ ref('stg_funnel_metrics') }} as funnel
        on
            candidates.product = funnel.product
            and taxonomy.funnel_step = funnel.step
            and candidates.changed_at - {{ days(var('evidence_days')) }} < funnel.bucket_start
            and candidates.ended_at > funnel.bucket_start
    where candidates.platform is not null and funnel.platform is not null

),

daily as (

    select
        issue_id,
        change_id,
        day,
        is_after,
        min(provenance) as provenance,
        max(days_before) filter (where is_its_own and not is_after) as days_before,
        max(days_after) as days_after,
        coalesce(sum(entered) filter (where is_its_own), 0.0) as entered,
        coalesce(sum(completed) filter (where is_its_own), 0.0) as completed,
        coalesce(sum(completed) filter (where not is_its_own), 0.0) as completed_beside
    from compared
    group by issue_id, change_id, day, is_after

),

shared as (

    select
        *,
        sum(case when not is_after then completed end) over (partition by issue_id, change_id)
        / nullif(sum(case when not is_after then completed_beside end) over (partition by issue_id, change_id), 0.0)
            as share_of_others
    from daily

),

sums as (

    select
        issue_id,
        change_id,
        min(provenance) as provenance,
        max(share_of_others) as share_of_others,
        max(days_before) as days_before,
        max(days_after) as days_after,
        sum(entered) filter (where is_after) as entered_after,
        sum(completed) filter (where is_after) as completed_after,
        sum(completed_beside) filter (where is_after) as beside_after,
        sum(entered) filter (where not is_after) as entered_before,
        sum(completed) filter (where not is_after) as completed_before,
        sum({{ pearson_term('completed', 'share_of_others * completed_beside') }}) filter (where not is_after)
        / nullif(count(*) filter (where not is_after), 0) as dispersion_before
    from shared
    group by issue_id, change_id

),

expected as (

    select
        *,
        least(share_of_others * beside_after, completed_before / greatest(days_before, 1.0) * days_after)
            as completed_expected,
        (completed_before + 0.5) / (entered_before + 1.0) as conversion_before,
        (completed_after + 0.5) / (entered_after + 1.0) as conversion_after
    from sums
    where entered_after > 0 and entered_before > 0 and share_of_others > 0 and beside_after > 0

),

spread as (

    select
        *,
        {{ dispersion_of_control('share_of_others', 'dispersion_before', 'completed_expected', 'completed_before') }}
            as dispersion
    from expected

)

select
    spread.issue_id,
    spread.change_id,
    spread.provenance,
    spread.completed_after,
    spread.completed_expected,
    spread.conversion_after,
    spread.conversion_before,
    -- Cost of forging: completions on the other platforms that make those on this one look too few.
    greatest(0.0, spread.completed_expected - spread.completed_after) / spread.share_of_others as completions_to_forge,
    {{ rounded(
        'case when spread.conversion_after < spread.conversion_before then '
        ~ log_e_value_of_fall('spread.completed_after', 'spread.completed_expected', 'spread.dispersion')
        ~ ' else 0.0 end * ' ~ provenance_weight('spread.provenance')
    ) }} as log_e_value
from spread
cross join {{ ref('stg_playbook_settings') }} as settings

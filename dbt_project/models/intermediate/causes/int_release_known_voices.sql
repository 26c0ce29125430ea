-- Words of established customers as evidence on each candidate, on their own: those of them who complain name its
-- platform and version more often than its share of the day's requests. A complaint that its platform always had more
-- of is no surprise there. Without telemetry by version: more often than established customers name the version when
-- they speak of other things on its platform. Strangers do not count here: anybody can be a stranger many times.
{%- set alternatives = [2, 4, 8, 16] %}
with voices as (

    select
        candidates.issue_id,
        candidates.change_id,
        date_trunc('day', feedback.counted_at) as day,
        feedback.counted_at >= candidates.changed_at as is_after,
        coalesce(candidates.platform = feedback.platform, true) as is_on_platform,
        feedback.app_version is not null and feedback.counted_at >= candidates.changed_at as is_naming,
        feedback.app_version = candidates.version as names_version,
        coalesce(feedback.issue_type = candidates.issue_type, false) as is_complaint,
        feedback.evidence_weight as weight
    from {{ ref('int_release_candidates') }} as candidates
    inner join {{ ref('int_feedback') }} as feedback
        on
            candidates.product = feedback.product
            and candidates.changed_at - {{ days(var('evidence_days')) }} < feedback.counted_at
            and candidates.ended_at >= feedback.counted_at
    where
        candidates.version is not null
        and feedback.is_counted is not false
        and feedback.is_established
        and feedback.counted_at > {{ history_from() }}

),

-- One piece added, so that no share is too low.
usual as (

    select
        issue_id,
        change_id,
        (
            coalesce(
                sum(weight) filter (where is_naming and is_on_platform and names_version and not is_complaint), 0.0
            )
            + 1.0
        )
        / (coalesce(sum(weight) filter (where is_naming and is_on_platform and not is_complaint), 0.0) + 1.0)
            as version_in_talk,
        (coalesce(sum(weight) filter (where not is_after and is_complaint and is_on_platform), 0.0) + 1.0)
        / (coalesce(sum(weight) filter (where not is_after and is_complaint), 0.0) + 1.0) as platform_in_complaints
    from voices
    group by issue_id, change_id

),

complaints as (

    select
        voices.issue_id,
        voices.change_id,
        voices.weight,
        case when voices.is_on_platform and voices.names_version then voices.weight else 0.0 end as weight_naming,
        coalesce(
            greatest(shares.share_of_platform, usual.platform_in_complaints) * shares.share_of_version,
            usual.version_in_talk
        ) as share
    from voices
    inner join usual on voices.issue_id = usual.issue_id and voices.change_id = usual.change_id
    left join {{ ref('int_release_version_share') }} as shares
        on voices.issue_id = shares.issue_id and voices.change_id = shares.change_id and voices.day = shares.day
    where voices.is_naming and voices.is_complaint and (voices.is_on_platform or shares.day is not null)

),

-- Likelihood ratios of the alternatives in which the odds are 2, 4, 8 and 16 times as high.
ratios as (

    select
        issue_id,
        change_id,
        sum(weight) as complaints,
        sum(weight_naming) as complaints_naming,
    {%- for times in alternatives %}
        sum({{ log_ratio_of_share('weight_naming', 'weight', 'share', times ~ '.0') }})
            as log_ratio_{{ times }}
        {{- ',' if not loop.last }}
    {%- endfor %}
    from complaints
    group by issue_id, change_id

)

select
    issue_id,
    change_id,
    complaints,
    complaints_naming,
    {{ rounded(log_mean_exp(['log_ratio_2', 'log_ratio_4', 'log_ratio_8', 'log_ratio_16'])) }} as log_e_value
from ratios

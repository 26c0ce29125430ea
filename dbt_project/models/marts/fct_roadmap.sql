-- Evidence for planning: what a rolling window says of each issue type and feature, and when to act on it. Open issues
-- without a fix lead; then what comes back, what costs more than a fix, and what rises beyond chance.
with said as (

    select
        feedback.*,
        coalesce(weights.weight, 0.0) as segment_weight
    from {{ ref('int_roadmap_feedback') }} as feedback
    left join {{ ref('segment_weights') }} as weights on feedback.segment = weights.segment

),

complaints as (

    select
        product,
        issue_type,
        feature,
        cast(sum(case when is_now then 1 else 0 end) as bigint) as complaints,
        cast(sum(case when is_now then 0 else 1 end) as bigint) as complaints_before,
        cast(sum(case when is_now and is_support then 1 else 0 end) as bigint) as support_complaints,
        cast(count(distinct case when is_now then person_key end) as bigint) as customers,
        cast(count(distinct case when is_now and segment_weight >= 0.7 then person_key end) as bigint)
            as valued_customers,
        -- Least squares over four weeks, by their distance to the middle: 1.5 down to -1.5, whose squares add up to 5.
        -- Each week's count varies by itself (Poisson), and so the slope by the sum of squares times counts over 25.
        sum(case when weeks_ago < 4 then 1.5 - weeks_ago else 0.0 end) / 5.0 as slope,
        {{ var('roadmap_slope_z') }}
        * sqrt(sum(case when weeks_ago < 4 then (1.5 - weeks_ago) * (1.5 - weeks_ago) else 0.0 end) / 25.0)
            as slope_by_chance
    from said
    group by product, issue_type, feature

),

issues as (

    select
        product,
        issue_type,
        feature,
        cast(sum(case when is_now then 1 else 0 end) as bigint) as issues,
        cast(sum(case when is_open then 1 else 0 end) as bigint) as open_issues,
        cast(sum(case when is_open and is_fix_out then 1 else 0 end) as bigint) as fixes_out,
        cast(sum(case when is_episode then 1 else 0 end) as bigint) as episodes,
        min(case when is_open then priority end) as worst_priority,
        min(case when is_open and not is_fix_out then priority end) as worst_priority_to_fix,
        {{ rounded(exact_sum('lost_value'), 2) }} as lost_value,
        {{ rounded(exact_sum('lost_conversion_value'), 2) }} as lost_conversion_value
    from {{ ref('fct_roadmap_issues') }}
    group by product, issue_type, feature
    having sum(case when is_now then 1 else 0 end) > 0

),

mentions as (

    select
        product,
        feature,
        cast(count(*) as double) / sum(count(*)) over (partition by product) as mention_share
    from {{ ref('int_feedback') }}
    where
        feature is not null
        and not is_spam
        and counted_at > {{ as_of() }} - {{ days(var('roadmap_days')) }}
        and counted_at <= {{ as_of() }}
    group by product, feature

),

keys as (

    select
        product,
        issue_type,
        feature
    from complaints
    where complaints > 0
    union distinct
    select
        product,
        issue_type,
        feature
    from issues

),

joined as (

    select
        keys.product,
        keys.issue_type,
        keys.feature,
        coalesce(complaints.complaints, 0) as complaints,
        coalesce(complaints.complaints_before, 0) as complaints_before,
        coalesce(complaints.customers, 0) as customers,
        coalesce(complaints.valued_customers, 0) as valued_customers,
        case
            when complaints.complaints > 0
                then {{ rounded('cast(complaints.support_complaints as double) / complaints.complaints', 3) }}
        end as support_share,
        {{ rounded('coalesce(complaints.slope, 0.0)', 2) }} as complaints_slope,
        coalesce(issues.issues, 0) as issues,
        coalesce(issues.open_issues, 0) as open_issues,
        coalesce(issues.fixes_out, 0) as fixes_out,
        issues.worst_priority,
        coalesce(issues.episodes, 0) as episodes,
        coalesce(issues.lost_value, 0.0) as lost_value,
        coalesce(issues.lost_conversion_value, 0.0) as lost_conversion_value,
        {{ rounded('mentions.mention_share', 3) }} as mention_share,
        coalesce(issues.worst_priority_to_fix <= 'P2', false) as is_urgent,
        coalesce(issues.open_issues, 0) > 0 as is_open,
        coalesce(issues.open_issues > 0 and issues.open_issues = issues.fixes_out, false) as is_fix_out,
        coalesce(issues.episodes, 0) >= {{ var('roadmap_episodes') }} as is_recurring,
        coalesce(issues.lost_value, 0.0) > settings.cost_engineer_hour * settings.cost_hours_per_ticket as is_costly,
        coalesce(
            complaints.complaints >= {{ var('roadmap_complaints') }} and complaints.slope > complaints.slope_by_chance,
            false
        ) as is_rising,
        case
            when complaints.slope > complaints.slope_by_chance then 'rises'
            when complaints.slope < -complaints.slope_by_chance then 'falls'
            else 'steady'
        end as trend
    from keys
    left join complaints
        on
            keys.product = complaints.product
            and keys.issue_type = complaints.issue_type
            and keys.feature = complaints.feature
    left join issues
        on
            keys.product = issues.product
            and keys.issue_type = issues.issue_type
            and keys.feature = issues.feature
    left join mentions on keys.product = mentions.product and keys.feature = mentions.feature
    cross join {{ ref('stg_playbook_settings') }} as settings

),

advised as (

    select
        *,
        case
            when is_urgent then 'patch_now'
            when (is_open and not is_fix_out) or is_recurring or is_costly or is_rising then 'next_train'
            else 'watch'
        end as recommendation
    from joined

)

select
    product,
    issue_type,
    feature,
    cast(row_number() over (
        partition by product
        order by
            case recommendation when 'patch_now' then 1 when 'next_train' then 2 else 3 end,
            lost_value desc, complaints desc, issue_type asc, feature asc
    ) as bigint) as roadmap_rank,
    recommendation,
    case
        when is_urgent then 'urgent_issue'
        when is_open and not is_fix_out then 'open_issue'
        when is_recurring then 'comes_back'
        when is_costly then 'costs_more_than_a_fix'
        when is_rising then 'rises'
        when is_fix_out then 'fix_is_out'
        else 'as_usual'
    end as reason,
    is_urgent,
    is_open,
    is_fix_out,
    is_recurring,
    is_costly,
    is_rising,
    trend,
    worst_priority,
    complaints,
    complaints_before,
    complaints_slope,
    customers,
    valued_customers,
    support_share,
    mention_share,
    issues,
    open_issues,
    fixes_out,
    episodes,
    lost_value,
    lost_conversion_value
from advised

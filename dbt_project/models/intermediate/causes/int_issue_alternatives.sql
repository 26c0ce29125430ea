-- Alternatives to releases and flags as causes of each issue: a campaign (or a change of prices or of the catalogue,
-- which is recorded as one), a crowd that says more of everything, an outage that hits every platform at once, one
-- country, one text sent many times. `evidence` is the strength of each, 0-1.
with issues as (

    select
        issues.*,
        scope.scope_country,
        {{ seconds_between('issues.first_tick', 'issues.ended_at') }} / 86400.0 + 1.0 as days_during
    from {{ ref('int_issues') }} as issues
    inner join {{ ref('int_issue_scope') }} as scope on issues.issue_id = scope.issue_id

),

campaigns as (

    select
        issues.issue_id,
        campaigns.campaign_id,
        campaigns.kind as campaign_kind,
        campaigns.started_at,
        exp(-greatest(
            0.0, {{ seconds_between('campaigns.started_at', 'issues.started_at') }}
        ) / 3600.0 / {{ var('fading_hours') }}.0) as evidence
    from issues
    inner join {{ ref('stg_campaigns') }} as campaigns
        on
            issues.product = campaigns.product
            and issues.started_at + {{ days(1) }} >= campaigns.started_at
            and issues.detected_at > campaigns.started_at
            and issues.started_at
            < coalesce(campaigns.ended_at, campaigns.started_at) + {{ hours(var('fading_hours')) }}

),

counts as (

    select
        issues.issue_id,
        max(issues.days_during) as days_during,
        cast(count(*) filter (where feedback.counted_at > issues.first_tick - {{ days(1) }}) as double)
            as others_during,
        cast(count(*) filter (where feedback.counted_at <= issues.first_tick - {{ days(1) }}) as double)
            as others_before
    from issues
    inner join {{ ref('int_feedback') }} as feedback
        on
            issues.product = feedback.product
            and issues.issue_type <> feedback.issue_type
            and issues.first_tick - {{ days(var('evidence_days') + 1) }} < feedback.counted_at
            and issues.ended_at >= feedback.counted_at
    where feedback.is_counted is not false and feedback.counted_at > {{ history_from() }}
    group by issues.issue_id

),

crowds as (

    select
        issue_id,
        ((others_during + 0.5) / days_during) / ((others_before + 0.5) / {{ var('evidence_days') }}.0) as ratio
    from counts

),

copies as (

    select
        issues.issue_id,
        cast(count(*) filter (where feedback.is_counted is false) as double) as copies,
        cast(count(*) as double) as feedback_count
    from issues
    inner join {{ ref('int_feedback') }} as feedback
        on
            issues.product = feedback.product
            and issues.issue_type = feedback.issue_type
            and issues.first_tick - {{ days(1) }} < feedback.counted_at
            and issues.ended_at >= feedback.counted_at
    where feedback.is_spam is not true and feedback.counted_at > {{ history_from() }}
    group by issues.issue_id

),

errors as (

    select
        issues.issue_id,
        metrics.platform,
        cast(sum(metrics.errors) filter (where metrics.bucket_start >= issues.started_at) as double) as errors_during,
        cast(sum(metrics.requests) filter (where metrics.bucket_start >= issues.started_at) as double)
            as requests_during,
        cast(sum(metrics.errors) filter (where metrics.bucket_start < issues.started_at) as double) as errors_before,
        cast(sum(metrics.requests) filter (where metrics.bucket_start < issues.started_at) as double) as requests_before
    from issues
    inner join {{ ref('stg_service_metrics') }} as metrics
        on
            issues.product = metrics.product
            and issues.started_at - {{ days(var('evidence_days')) }} < metrics.bucket_start
            and issues.detected_at > metrics.bucket_start
    inner join {{ ref('int_touched_services') }} as touched
        on issues.issue_type = touched.issue_type and touched.service = lower(metrics.service)
    where metrics.platform is not null
    group by issues.issue_id, metrics.platform

),

-- Outage: the rise of the error rate on the platform with the smallest rise; a common cause shows on every platform.
outages as (

    select
        issue_id,
        min(((errors_during + 0.5) / (requests_during + 1.0)) / ((errors_before + 0.5) / (requests_before + 1.0)))
            as ratio,
        sum(errors_during) as errors_during
    from errors
    where requests_during > 0 and requests_before > 0
    group by issue_id
    having count(*) >= 2

),

alternatives as (

    select
        issue_id,
        'campaign' as kind,
        'campaign ' || campaign_id as alternative_id,
        started_at as since,
        evidence,
        case campaign_kind
            when 'price_change' then 'price change '
            when 'catalogue_change' then 'catalogue change '
            else 'campaign '
        end || campaign_id as title
    from campaigns

    union all

    select
        issue_id,
        'crowd' as kind,
        'crowd' as alternative_id,
        cast(null as timestamp) as since,
        {{ doublings('ratio') }} as evidence,
        'crowd' as title
    from crowds

    union all

    select
        issue_id,
        'outage' as kind,
        'outage' as alternative_id,
        cast(null as timestamp) as since,
        {{ doublings('ratio') }} * least(1.0, errors_during / 20.0) as evidence,
        'outage' as title
    from outages

    union all

    select
        issue_id,
        'country' as kind,
        'country ' || scope_country as alternative_id,
        cast(null as timestamp) as since,
        1.0 as evidence,
        'country ' || scope_country as title
    from issues
    where scope_country is not null

    union all

    select
        issue_id,
        'copies' as kind,
        'copies' as alternative_id,
        cast(null as timestamp) as since,
        copies / feedback_count as evidence,
        'copies' as title
    from copies

)

select
    issue_id,
    kind,
    alternative_id,
    since,
    {{ rounded('evidence') }} as evidence,
    title
from alternatives
where evidence >= 0.000001

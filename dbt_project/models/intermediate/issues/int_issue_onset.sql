{{ config(
    materialized='incremental', meta={'rebuilt_by': 'detected_at'}, pre_hook="{{ forget_since('detected_at') }}"
) }}

-- Onset of each issue, as far as it could be told when it was detected: the change point that makes the complaints,
-- or the telemetry that corroborated them, most likely (profile likelihood of a Poisson change point; Hinkley 1970).
-- Telemetry is preferred: it fails at once, and customers complain later.
with episodes as (

    select
        episodes.issue_id,
        episodes.product,
        episodes.issue_type,
        episodes.first_tick,
        episodes.detected_at,
        activity.expected / 24.0 as usual_per_hour
    from {{ ref('int_episodes') }} as episodes
    left join {{ ref('int_issue_activity') }} as activity
        on
            episodes.product = activity.product
            and episodes.issue_type = activity.issue_type
            and activity.scope_kind = 'all'
            and episodes.detected_at >= activity.tick
            and episodes.detected_at < activity.valid_to
    where episodes.detected_at > {{ rebuild_from() }}

),

complaints as (

    select
        episodes.issue_id,
        feedback.occurred_at as happened_at,
        lag(feedback.occurred_at) over (partition by episodes.issue_id order by feedback.occurred_at) as previous_at,
        sum(feedback.evidence_weight) over (
            partition by episodes.issue_id
            order by feedback.occurred_at desc
            rows unbounded preceding
        ) as count_since,
        greatest(1.0, {{ seconds_between('feedback.occurred_at', 'episodes.detected_at') }} / 3600.0)
        * episodes.usual_per_hour as expected_since
    from episodes
    inner join {{ ref('int_feedback') }} as feedback
        on
            episodes.product = feedback.product
            and episodes.issue_type = feedback.issue_type
            and episodes.detected_at >= feedback.counted_at
            and episodes.first_tick - {{ hours(var('trailing_hours')) }} < feedback.occurred_at
    where feedback.is_counted is not false

),

scored_complaints as (

    select
        *,
        {{ change_point('count_since', 'expected_since') }} as score
    from complaints
    where count_since > expected_since

),

best_complaints as (

    select
        *,
        max(score) over (partition by issue_id) as best_score,
        row_number() over (partition by issue_id order by score desc, happened_at desc) as place
    from scored_complaints

),

by_complaints as (

    select
        issue_id,
        max(case when place = 1 then happened_at end) as started_at,
        min(coalesce(previous_at, happened_at - {{ days(1) }})) as onset_earliest,
        max(happened_at) as onset_latest
    from best_complaints
    -- The 95 % interval of a likelihood: within two of its logarithm's best.
    where score >= best_score - 2.0
    group by issue_id

),

-- The measure that spoke most clearly at detection.
strongest as (

    select
        episodes.issue_id,
        episodes.product,
        episodes.detected_at,
        evidence.kind,
        evidence.measure,
        evidence.measured_kind,
        evidence.measured_value,
        evidence.rate,
        row_number() over (
            partition by episodes.issue_id
            order by
                evidence.log_e_value desc,
                evidence.kind asc,
                evidence.measure asc,
                evidence.measured_kind asc,
                evidence.measured_value asc
        ) as place
    from episodes
    inner join {{ ref('int_telemetry_evidence') }} as evidence
        on
            episodes.product = evidence.product
            and episodes.issue_type = evidence.issue_type
            and episodes.detected_at = evidence.tick
    where evidence.log_e_value >= {{ var('corroborating_log_e_value') }} and evidence.kind <> 'latency'

),

buckets as (

    select
        strongest.issue_id,
        strongest.kind,
        counts.began_at as happened_at,
        lag(counts.began_at) over (partition by strongest.issue_id order by counts.began_at) as previous_at,
        lead(counts.began_at) over (partition by strongest.issue_id order by counts.began_at) as next_at,
        sum(counts.amount) over (
            partition by strongest.issue_id
            order by counts.began_at desc
            rows unbounded preceding
        ) as amount_since,
        strongest.rate * sum(counts.trials) over (
            partition by strongest.issue_id
            order by counts.began_at desc
            rows unbounded preceding
        ) as expected_since
    from strongest
    inner join {{ ref('int_telemetry_counts') }} as counts
        on
            strongest.product = counts.product
            and strongest.kind = counts.kind
            and strongest.measure = counts.measure
            and strongest.measured_kind = counts.scope_kind
            and strongest.measured_value = counts.scope_value
            and strongest.detected_at >= counts.tick
            and strongest.detected_at - {{ days(2) }} < counts.tick
    where strongest.place = 1

),

scored_buckets as (

    select
        *,
        {{ change_point('amount_since', 'expected_since') }} as score
    from buckets
    where
        (kind = 'errors' and amount_since > expected_since)
        or (kind = 'completions' and amount_since < expected_since)

),

best_buckets as (

    select
        *,
        max(score) over (partition by issue_id) as best_score,
        row_number() over (partition by issue_id order by score desc, happened_at desc) as place
    from scored_buckets

),

-- Buckets vary beyond chance, and a rollout grows: a tenth of the best, and the bucket before.
by_telemetry as (

    select
        issue_id,
        max(case when place = 1 then happened_at end) as started_at,
        min(coalesce(previous_at, happened_at)) as onset_earliest,
        max(coalesce(next_at, happened_at)) as onset_latest
    from best_buckets
    where score >= 0.9 * best_score - 2.0
    group by issue_id

)

select
    episodes.issue_id,
    episodes.detected_at,
    case when by_telemetry.issue_id is not null then 'telemetry' else 'complaints' end as onset_by,
    coalesce(by_telemetry.started_at, by_complaints.started_at, episodes.first_tick - {{ days(1) }}) as started_at,
    coalesce(by_telemetry.onset_earliest, by_complaints.onset_earliest, episodes.first_tick - {{ days(1) }})
        as onset_earliest,
    coalesce(by_telemetry.onset_latest, by_complaints.onset_latest, episodes.first_tick) as onset_latest
from episodes
left join by_complaints on episodes.issue_id = by_complaints.issue_id
left join by_telemetry on episodes.issue_id = by_telemetry.issue_id

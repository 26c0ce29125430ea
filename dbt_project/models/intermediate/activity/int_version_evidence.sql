-- Text evidence of a version: the share that complaints of a type have in what is said on that version over 1, 3 and 7
-- days, against the type's share in all feedback of the baseline. A count alone says little of a version: on its first day
-- nobody uses it, and one day everybody does.
with feedback as (

    select
        feedback.product,
        feedback.issue_type,
        feedback.app_version,
        feedback.evidence_weight,
        taxonomy.actionable,
        {{ tick_of('feedback.counted_at') }} as tick
    from {{ ref('int_feedback') }} as feedback
    inner join {{ ref('taxonomy') }} as taxonomy on feedback.issue_type = taxonomy.issue_type
    where
        -- A version that is named in a text is named to complain of it.
        feedback.app_version_source = 'source'
        and feedback.issue_type <> 'other'
        and feedback.is_counted is not false
        and feedback.counted_at > {{ rebuild_from() }} - {{ days(7) }}

),

-- All of a version, and each type of it, at the ticks at which something is said.
ticks as (

    select
        product,
        app_version,
        tick,
        sum(evidence_weight) as evidence
    from feedback
    group by product, app_version, tick

),

everything as (

    select
        product,
        app_version,
        tick
        {%- for length in [24, 72, 168] %},
        sum(evidence) over (
            partition by product, app_version
            order by tick
            {{ in_last_hours(length) }}
        ) as said_{{ length }}h
        {%- endfor %}
    from ticks

),

typed as (

    select
        product,
        issue_type,
        app_version,
        tick,
        sum(evidence_weight) as evidence,
        cast(count(*) as double) as feedback_count
    from feedback
    where actionable
    group by product, issue_type, app_version, tick

),

counted as (

    select
        product,
        issue_type,
        app_version,
        tick
        {%- for length in [24, 72, 168] %},
        sum(evidence) over (
            partition by product, issue_type, app_version
            order by tick
            {{ in_last_hours(length) }}
        ) as evidence_{{ length }}h
        {%- endfor %},
        sum(feedback_count) over (
            partition by product, issue_type, app_version
            order by tick
            {{ in_last_hours(72) }}
        ) as feedback_count_72h
    from typed

),

shares as (

    select
        counted.*,
        everything.said_24h,
        everything.said_72h,
        everything.said_168h,
        (own.baseline_total + 0.5) / (everything_baseline.baseline_total + 1.0) as share,
        {{ var('least_share_spread') }} + 1.0 / (own.baseline_total + 0.5) as spread
    from counted
    inner join everything
        on
            counted.product = everything.product
            and counted.app_version = everything.app_version
            and counted.tick = everything.tick
    inner join {{ ref('int_baseline') }} as own
        on
            counted.product = own.product
            and counted.issue_type = own.issue_type
            and own.scope_kind = 'all'
            and {{ day_of('counted.tick') }} = own.day
    inner join {{ ref('int_baseline') }} as everything_baseline
        on
            counted.product = everything_baseline.product
            and everything_baseline.issue_type = '(any)'
            and everything_baseline.scope_kind = 'all'
            and {{ day_of('counted.tick') }} = everything_baseline.day
    cross join {{ ref('stg_playbook_settings') }} as settings
    where
        counted.tick > {{ rebuild_from() }}
        and counted.tick <= {{ as_of() }}
        and own.baseline_days >= settings.min_baseline_days

)

select
    product,
    issue_type,
    app_version,
    tick,
    cast(feedback_count_72h as bigint) as feedback_count_72h,
    cast(evidence_24h as double) as evidence_24h,
    cast(evidence_72h as double) as evidence_72h,
    {{ rounded('said_24h * share') }} as explained_24h,
    {{ rounded('said_72h * share') }} as explained_72h,
    {{ rounded('share') }} as share,
    {{ rounded(log_e_value_of_shares([24, 72, 168])) }} as log_e_value
from shares

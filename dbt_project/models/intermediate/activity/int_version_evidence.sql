-- Text evidence of a version: the share that complaints of a type have in what is said on that version over 1, 3 and
-- 7 days, against the type's share in all feedback of the baseline, or in all other feedback of the same time where
-- that is higher. A count alone says little of a version: on its first day nobody uses it, and one day everybody
-- does.
with named as (

    select
        feedback.product,
        feedback.issue_type,
        -- A version that is named in a text is named to complain of it.
        case when feedback.app_version_source = 'source' then feedback.app_version end as app_version,
        feedback.evidence_weight,
        taxonomy.actionable,
        {{ tick_of('feedback.counted_at') }} as tick
    from {{ ref('int_feedback') }} as feedback
    inner join {{ ref('taxonomy') }} as taxonomy on feedback.issue_type = taxonomy.issue_type
    where
        feedback.issue_type <> 'other'
        and feedback.is_counted is not false
        and feedback.counted_at > {{ rebuild_from() }} - {{ days(7) }}

),

usual as (

    select
        own.product,
        own.issue_type,
        own.day,
        own.baseline_total,
        (own.baseline_total + 0.5) / (everything.baseline_total + 1.0) as share
    from {{ ref('int_baseline') }} as own
    inner join {{ ref('int_baseline') }} as everything
        on
            own.product = everything.product
            and everything.issue_type = '(any)'
            and everything.scope_kind = 'all'
            and own.day = everything.day
    cross join {{ ref('stg_playbook_settings') }} as settings
    where own.scope_kind = 'all' and own.baseline_days >= settings.min_baseline_days

),

-- All of a version, and each type of it, at the ticks at which something is said; the same of the whole product.
pieces as (

    {{ by_scope('named', ['product', 'issue_type', 'tick', 'evidence_weight', 'actionable'], ['all', 'app_version']) }}

),

said as (

    select
        product,
        scope_value as app_version,
        tick,
        sum(evidence_weight) as evidence
    from pieces
    group by product, scope_value, tick

),

typed as (

    select
        product,
        issue_type,
        scope_value as app_version,
        tick,
        sum(evidence_weight) as evidence,
        cast(count(*) as double) as feedback_count
    from pieces
    where actionable
    group by product, issue_type, scope_value, tick

),

said_lately as (

    select
        product,
        app_version,
        tick,
        {{ running_sums({'said': 'evidence'}, ['product', 'app_version'], [24, 72, 168]) }}
    from said

),

typed_lately as (

    select
        product,
        issue_type,
        app_version,
        tick,
        {{ running_sums({'evidence': 'evidence'}, ['product', 'issue_type', 'app_version'], [24, 72, 168]) }},
        {{ running_sums({'feedback_count': 'feedback_count'}, ['product', 'issue_type', 'app_version'], [72]) }}
    from typed

),

shares as (

    select
        own.product,
        own.issue_type,
        own.app_version,
        own.tick,
        own.feedback_count_72h,
        own.evidence_24h,
        said.said_24h,
        own.evidence_72h,
        said.said_72h,
        own.evidence_168h,
        said.said_168h,
        greatest(
            baseline.share,
            -- Other versions and no version in the last three days, shrunk towards the usual share by ten pieces.
            (anywhere.evidence_72h - own.evidence_72h + 10.0 * baseline.share)
            / (said_anywhere.said_72h - said.said_72h + 10.0)
        ) as share,
        {{ var('least_share_spread') }} + 1.0 / (baseline.baseline_total + 0.5) as spread
    from typed_lately as own
    inner join said_lately as said
        on own.product = said.product and own.app_version = said.app_version and own.tick = said.tick
    inner join typed_lately as anywhere
        on
            own.product = anywhere.product
            and own.issue_type = anywhere.issue_type
            and own.tick = anywhere.tick
            and anywhere.app_version = 'all'
    inner join said_lately as said_anywhere
        on own.product = said_anywhere.product and own.tick = said_anywhere.tick and said_anywhere.app_version = 'all'
    inner join usual as baseline
        on
            own.product = baseline.product
            and own.issue_type = baseline.issue_type
            and {{ day_of('own.tick') }} = baseline.day
    where own.app_version <> 'all' and own.tick > {{ rebuild_from() }} and own.tick <= {{ as_of() }}

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

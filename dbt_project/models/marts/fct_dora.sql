-- Change fail rate and failed deployment recovery time, by two rules: an issue belongs to the release that it is
-- traced to, or to the last deployment before it was detected, whatever that changed.
with deployments as (

    select
        release_id,
        product,
        deployed_at
    from {{ ref('stg_releases') }}
    where {{ is_production('environment') }} and deployed_at <= {{ as_of() }}

),

recovered as (

    select
        issue_id,
        min(case when is_credited then acted_at end) as credited_at,
        min(case when kind in ('mitigation', 'fixing_release', 'flag_change') then acted_at end) as first_acted_at
    from {{ ref('fct_interventions') }}
    group by issue_id

),

incidents as (

    select
        issues.issue_id,
        issues.product,
        issues.detected_at,
        issues.suspect_release_id,
        coalesce(recovered.credited_at, recovered.first_acted_at) as recovered_at
    from {{ ref('fct_issues') }} as issues
    inner join {{ ref('fct_issue_lifecycle') }} as lifecycle on issues.issue_id = lifecycle.issue_id
    left join recovered on issues.issue_id = recovered.issue_id
    where lifecycle.rejected_at is null

),

last_before as (

    select
        incidents.issue_id,
        deployments.release_id,
        row_number() over (
            partition by incidents.issue_id
            order by deployments.deployed_at desc, deployments.release_id asc
        ) as place
    from incidents
    inner join deployments
        on incidents.product = deployments.product and incidents.detected_at >= deployments.deployed_at

),

blamed as (

    select
        suspect_release_id as release_id,
        'suspect' as rule,
        issue_id,
        recovered_at
    from incidents
    where suspect_release_id is not null

    union all

    select
        last_before.release_id,
        'last' as rule,
        incidents.issue_id,
        incidents.recovered_at
    from last_before
    inner join incidents on last_before.issue_id = incidents.issue_id
    where last_before.place = 1

),

-- A deployment has recovered when the last of its issues has.
failed as (

    select
        release_id,
        rule,
        count(*) as incidents,
        case when count(*) = count(recovered_at) then max(recovered_at) end as recovered_at
    from blamed
    group by release_id, rule

),

joined as (

    select
        deployments.release_id,
        deployments.product,
        date_trunc('month', deployments.deployed_at) as month,
        suspect.incidents,
        last_one.incidents as incidents_by_last,
        {{ seconds_between('deployments.deployed_at', 'suspect.recovered_at') }} / 60.0 as minutes,
        {{ seconds_between('deployments.deployed_at', 'last_one.recovered_at') }} / 60.0 as minutes_by_last
    from deployments
    left join failed as suspect on deployments.release_id = suspect.release_id and suspect.rule = 'suspect'
    left join failed as last_one on deployments.release_id = last_one.release_id and last_one.rule = 'last'

),

counted as (

    select
        product,
        month,
        cast(count(*) as bigint) as deployments,
    {%- for suffix in ['', '_by_last'] %}
        cast(count(incidents{{ suffix }}) as bigint) as failed_deployments{{ suffix }},
        cast(coalesce(sum(incidents{{ suffix }}), 0) as bigint) as incidents{{ suffix }},
        cast(count(minutes{{ suffix }}) as bigint) as recovered_deployments{{ suffix }},
        median(minutes{{ suffix }}) as recovery_minutes{{ suffix }}
        {{- ',' if not loop.last }}
    {%- endfor %}
    from joined
    group by product, month

)

select
    product,
    month,
    deployments,
    failed_deployments,
    incidents,
    recovered_deployments,
    {{ rounded('cast(failed_deployments as double) / deployments') }} as change_fail_rate,
    {{ rounded('recovery_minutes', 2) }} as recovery_minutes,
    failed_deployments_by_last,
    incidents_by_last,
    recovered_deployments_by_last,
    {{ rounded('cast(failed_deployments_by_last as double) / deployments') }} as change_fail_rate_by_last,
    {{ rounded('recovery_minutes_by_last', 2) }} as recovery_minutes_by_last
from counted

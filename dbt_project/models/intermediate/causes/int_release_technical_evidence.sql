-- Telemetry as evidence on each candidate: the error rate of the services that the issue touches, on the candidate's
-- platform and version where telemetry has them, after the change against the 28 days before; and the same beside it,
-- as a control. Anybody can send bad requests with a version in their header. They add errors and requests, but take no
-- successful request away: errors are credible as far as successful requests are missing, against what the traffic of
-- the other services in the same place leads to expect.
with daily as (

    select
        *,
        sum(requests_before) over (partition by issue_id, change_id, service)
        / nullif(sum(other_before) over (partition by issue_id, change_id, service), 0.0) as share_of_traffic
    from {{ ref('int_release_telemetry') }}

),

services as (

    select
        issue_id,
        change_id,
        service,
        is_touched,
        min(provenance) as provenance,
        max(share_of_traffic) as share_of_traffic,
        sum(requests_anywhere_before) / nullif(sum(other_anywhere_before), 0.0) as share_anywhere,
        sum(requests_after) as requests_after,
        sum(errors_after) as errors_after,
        sum(other_after) as other_after,
        sum(requests_before) as requests_before,
        sum(errors_before) as errors_before,
        sum(buckets_before) as buckets_before,
        sum(error_squares_before) as error_squares_before,
        sum(requests_beside) as requests_beside,
        sum(errors_beside) as errors_beside,
        sum(other_beside) as other_beside,
        sum(requests_sibling) as requests_sibling,
        sum(errors_sibling) as errors_sibling,
        sum(other_sibling) as other_sibling,
        sum(requests_anywhere_before) as requests_anywhere_before,
        sum(errors_anywhere_before) as errors_anywhere_before,
        sum({{ pearson_term('requests_before', 'share_of_traffic * other_before') }})
        / nullif(count(*) filter (where requests_before > 0), 0) as traffic_dispersion
    from daily
    group by issue_id, change_id, service, is_touched

),

expected as (

    select
        *,
        (errors_before + 0.5) / (requests_before + 1.0) as error_rate_before,
        requests_after - errors_after as successes_after,
        share_of_traffic * other_after * (1.0 - (errors_before + 0.5) / (requests_before + 1.0)) as successes_expected,
        share_anywhere * other_beside as requests_expected_beside,
        share_of_traffic * other_sibling as requests_expected_sibling
    from services

),

credible as (

    select
        *,
        -- Without a control for the traffic the errors stand as they are: they may name a release, never undo it.
        case
            when successes_expected is null then errors_after
            else least(errors_after, greatest(0.0, successes_expected - successes_after))
        end as errors_credible,
        -- Beside the change the benefit of the doubt is on the other side: two standard deviations more.
    {%- for place in ['beside', 'sibling'] %}
        case
            when requests_expected_{{ place }} is null then errors_{{ place }}
            else least(errors_{{ place }}, greatest(
                0.0,
                requests_expected_{{ place }} - requests_{{ place }} + errors_{{ place }}
                + 2.0 * sqrt(requests_expected_{{ place }})
                ))
        end as errors_credible_{{ place }}
        {{- ',' if not loop.last }}
    {%- endfor %}
    from expected

),

candidates as (

    select
        issue_id,
        change_id,
        sum(requests_after) filter (where is_touched) as requests_after,
        sum(errors_after) filter (where is_touched) as errors_after,
        sum(errors_credible) filter (where is_touched) as errors_credible,
        sum(requests_before) filter (where is_touched) as requests_before,
        sum(errors_before) filter (where is_touched) as errors_before,
        sum(successes_after) filter (where is_touched and successes_expected is not null) as successes_after,
        sum(successes_expected) filter (where is_touched) as successes_expected,
        coalesce(sum(requests_beside) filter (where is_touched), 0.0) as requests_beside,
        coalesce(sum(errors_credible_beside) filter (where is_touched), 0.0) as errors_beside,
        sum(requests_sibling) filter (where is_touched) as requests_sibling,
        sum(errors_credible_sibling) filter (where is_touched) as errors_sibling,
        coalesce(sum(requests_anywhere_before) filter (where is_touched), 0.0) as requests_anywhere_before,
        coalesce(sum(errors_anywhere_before) filter (where is_touched), 0.0) as errors_anywhere_before
    from credible
    group by issue_id, change_id

),

rates as (

    select
        *,
        case
            when requests_beside > 0 and requests_anywhere_before > 0
                then {{ rounded(
                    '((errors_beside + 0.5) / (requests_beside + 1.0))'
                    ~ ' / ((errors_anywhere_before + 0.5) / (requests_anywhere_before + 1.0))'
                ) }}
            else 1.0
        end as error_ratio_elsewhere,
        -- A fault of the whole platform shows in its other versions, too.
        case
            when requests_sibling > 0
                then {{ rounded(
                    '((errors_sibling + 0.5) / (requests_sibling + 1.0))'
                    ~ ' / ((errors_before + 0.5) / (requests_before + 1.0))'
                ) }}
            else 1.0
        end as error_ratio_siblings
    from candidates
    where requests_after > 0 and requests_before > 0

),

spread as (

    select
        credible.*,
        greatest(
            1.0,
            (credible.error_squares_before / credible.error_rate_before - credible.errors_before)
            / greatest(credible.buckets_before, 1)
        ) as error_dispersion,
        -- Errors without the change's doing: up to half more than the rise elsewhere.
        1.5
        * greatest(1.0, rates.error_ratio_elsewhere, rates.error_ratio_siblings)
        * credible.error_rate_before
        * credible.requests_after
            as errors_innocent,
        {{ dispersion_of_control(
            'credible.share_of_traffic', 'credible.traffic_dispersion', 'credible.successes_expected',
            'credible.requests_before'
        ) }} as success_dispersion
    from credible
    inner join rates on credible.issue_id = rates.issue_id and credible.change_id = rates.change_id
    where credible.is_touched and credible.requests_after > 0 and credible.requests_before > 0

),

-- A service is evidence as far as both hold: its errors rose, and its successes fell.
e_values as (

    select
        issue_id,
        change_id,
        provenance,
        share_of_traffic,
        case when successes_expected > successes_after then successes_expected - successes_after else 0.0 end
            as successes_missing,
        {{ log_e_value_of_count('errors_after', 'errors_innocent', 'error_dispersion') }} as errors_log_e_value,
        case
            when successes_expected is null then 0.0
            else {{ log_e_value_of_fall('successes_after', 'successes_expected', 'success_dispersion') }}
        end as fall_log_e_value
    from spread

),

-- The mean of e-values is an e-value, whatever they have in common; so is its power with an exponent up to 1.
combined as (

    select
        e_values.issue_id,
        e_values.change_id,
        min(e_values.provenance) as provenance,
        sum(e_values.successes_missing / e_values.share_of_traffic) as requests_missing,
        ln(avg(exp(e_values.errors_log_e_value))) as errors_log_e_value,
        ln(avg(exp(least(e_values.errors_log_e_value, e_values.fall_log_e_value))))
        * min({{ provenance_weight('e_values.provenance') }}) as log_e_value
    from e_values
    cross join {{ ref('stg_playbook_settings') }} as settings
    group by e_values.issue_id, e_values.change_id

)

select
    rates.issue_id,
    rates.change_id,
    rates.errors_credible,
    (rates.errors_after + 0.5) / (rates.requests_after + 1.0) as error_rate_after,
    (rates.errors_credible + 0.5) / (rates.requests_after - rates.errors_after + rates.errors_credible + 1.0)
        as error_rate_credible,
    (rates.errors_before + 0.5) / (rates.requests_before + 1.0) as error_rate_before,
    rates.error_ratio_elsewhere,
    -- Enough requests to show a rise, and none beyond a quarter.
    rates.requests_after >= 1000.0
    and (rates.errors_after + 0.5) / (rates.requests_after + 1.0)
    < 1.25 * (rates.errors_before + 0.5) / (rates.requests_before + 1.0) as is_unmoved,
    rates.successes_after,
    rates.successes_expected,
    combined.provenance,
    -- Cost of forging: the bad requests, and as many good ones to other services as make the traffic look larger.
    rates.errors_after + coalesce(combined.requests_missing, 0.0) as requests_to_forge,
    {{ rounded('combined.errors_log_e_value') }} as errors_log_e_value,
    {{ rounded('combined.log_e_value') }} as log_e_value
from rates
inner join combined on rates.issue_id = combined.issue_id and rates.change_id = combined.change_id

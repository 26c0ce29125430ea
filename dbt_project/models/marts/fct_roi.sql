-- Return on investment. Benefits, engineering and wrong acts are those of the issues (`fct_issue_roi`); the running
-- cost, which belongs to no issue, stands in the rows of cohort `none`.
{% set kinds = ['revenue', 'refunds', 'support', 'customers'] %}
with issues as (

    select
        product,
        month,
        release_cohort,
        cast(count(*) as bigint) as issues,
        cast(sum(case when has_intervention then 1 else 0 end) as bigint) as issues_with_intervention,
        cast(sum(tickets) as bigint) as tickets,
        cast(sum(wrong_acts) as bigint) as wrong_acts,
        cast(sum(effects_without_price) as bigint) as effects_without_price,
        {%- for kind in kinds %}
            {{ exact_sum('benefit_' ~ kind) }} as benefit_{{ kind }},
        {%- endfor %}
        {{ exact_sum('benefit') }} as benefit,
        {{ in_quadrature('benefit - benefit_low') }} as below,
        {{ in_quadrature('benefit_high - benefit') }} as above,
        {{ exact_sum('benefit_frozen') }} as benefit_frozen,
        {{ exact_sum('not_attributed_value') }} as not_attributed_value,
        {{ exact_sum('worsened_value') }} as worsened_value,
        {{ exact_sum('cost_engineering') }} as cost_engineering,
        {{ exact_sum('cost_wrong_acts') }} as cost_wrong_acts
    from {{ ref('fct_issue_roi') }}
    group by product, month, release_cohort

),

running as (

    select
        *,
        'none' as release_cohort
    from {{ ref('int_running_costs') }}

),

keys as (

    select
        product,
        month,
        release_cohort
    from issues
    union distinct
    select
        product,
        month,
        release_cohort
    from running

),

joined as (

    select
        keys.product,
        keys.month,
        keys.release_cohort,
        settings.cost_currency as currency,
        coalesce(issues.issues, 0) as issues,
        coalesce(issues.issues_with_intervention, 0) as issues_with_intervention,
        coalesce(issues.tickets, 0) as tickets,
        coalesce(issues.wrong_acts, 0) as wrong_acts,
        coalesce(issues.effects_without_price, 0) as effects_without_price,
        {%- for column in [
                'benefit_revenue', 'benefit_refunds', 'benefit_support', 'benefit_customers', 'benefit', 'below', 'above',
                'benefit_frozen', 'not_attributed_value', 'worsened_value', 'cost_engineering', 'cost_wrong_acts'
        ] %}
            coalesce(issues.{{ column }}, 0.0) as {{ column }},
        {%- endfor %}
        coalesce(running.cost_running, 0.0) as cost_running
    from keys
    cross join {{ ref('stg_playbook_settings') }} as settings
    left join issues
        on
            keys.product = issues.product
            and keys.month = issues.month
            and keys.release_cohort = issues.release_cohort
    left join running
        on
            keys.product = running.product
            and keys.month = running.month
            and keys.release_cohort = running.release_cohort

),

totals as (

    select
        *,
        benefit - below as benefit_low,
        benefit + above as benefit_high,
        cost_engineering + cost_running + cost_wrong_acts as cost
    from joined

)

select
    product,
    month,
    release_cohort,
    {{ season_of('month') }} as season,
    currency,
    issues,
    issues_with_intervention,
    tickets,
    wrong_acts,
    effects_without_price,
    {%- for kind in kinds %}
        {{ rounded('benefit_' ~ kind, 2) }} as benefit_{{ kind }},
    {%- endfor %}
    {{ rounded('benefit', 2) }} as benefit,
    {{ rounded('benefit_low', 2) }} as benefit_low,
    {{ rounded('benefit_high', 2) }} as benefit_high,
    {{ rounded('benefit_frozen', 2) }} as benefit_frozen,
    {{ rounded('not_attributed_value', 2) }} as not_attributed_value,
    {{ rounded('worsened_value', 2) }} as worsened_value,
    {{ rounded('cost_engineering', 2) }} as cost_engineering,
    {{ rounded('cost_running', 2) }} as cost_running,
    {{ rounded('cost_wrong_acts', 2) }} as cost_wrong_acts,
    {{ rounded('cost', 2) }} as cost,
    {{ rounded('benefit - cost', 2) }} as net,
    {{ rounded('benefit_low - cost', 2) }} as net_low,
    {{ rounded('benefit_high - cost', 2) }} as net_high,
    case when cost > 0 then {{ rounded('benefit / cost', 2) }} end as ratio,
    case when cost > 0 then {{ rounded('benefit_low / cost', 2) }} end as ratio_low,
    case when cost > 0 then {{ rounded('benefit_high / cost', 2) }} end as ratio_high
from totals

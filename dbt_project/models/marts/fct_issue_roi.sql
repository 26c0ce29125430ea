-- Benefits and costs of each issue. Money is earned only where an effect was told from chance against what was not
-- treated; what was measured and could not be told stands beside it. Measures of one issue move together, so their
-- distances to the ends of their intervals are added up; those of several issues are added in quadrature
-- (`fct_roi`).
{% set kinds = ['revenue', 'refunds', 'support', 'customers'] %}
with untreated as (

    select * from {{ ref('fct_issue_outcomes') }}
    where comparator = 'untreated'

),

frozen as (

    select * from {{ ref('fct_issue_outcomes') }}
    where comparator = 'frozen'

),

valued as (

    select
        untreated.*,
        untreated.answer = 'fewer' as is_earned,
        case
            when untreated.answer = 'fewer' then coalesce(frozen.value, untreated.value)
        end as frozen_value
    from untreated
    left join frozen on untreated.issue_id = frozen.issue_id and untreated.measure = frozen.measure

),

benefits as (

    select
        issue_id,
        max(intervened_at) as intervened_at,
        {%- for kind in kinds %}
            {{ exact_sum("case when is_earned and value_kind = '" ~ kind ~ "' then value end") }} as benefit_{{ kind }},
        {%- endfor %}
        {{ exact_sum('case when is_earned then value end') }} as benefit,
        {{ exact_sum('case when is_earned then value - value_low end') }} as below,
        {{ exact_sum('case when is_earned then value_high - value end') }} as above,
        {{ exact_sum('frozen_value') }} as benefit_frozen,
        {{ exact_sum("case when answer = 'more' then value end") }} as worsened_value,
        {{ exact_sum("case when answer not in ('fewer', 'more') then value end") }} as not_attributed_value,
        cast(sum(case when is_earned and value is null then 1 else 0 end) as bigint) as effects_without_price
    from valued
    group by issue_id

),

-- An act that was taken back after it had helped is no wrong one: it had done what it was for.
acts as (

    select
        issue_id,
        cast(count(*) as bigint) as acts,
        cast(sum(case
            when effect = 'ineffective' then 1
            when undone_at is not null and coalesce(effect, '') <> 'effective' then 1
            else 0
        end) as bigint) as acts_without_effect
    from {{ ref('fct_mitigations') }}
    where applied_at is not null
    group by issue_id

),

joined as (

    select
        issues.issue_id,
        issues.product,
        issues.issue_type,
        settings.cost_currency as currency,
        coalesce(issues.suspect_version, 'none') as release_cohort,
        date_trunc('month', coalesce(benefits.intervened_at, issues.detected_at)) as month,
        benefits.intervened_at is not null as has_intervention,
        {%- for kind in kinds %}
            coalesce(benefits.benefit_{{ kind }}, 0.0) as benefit_{{ kind }},
        {%- endfor %}
        coalesce(benefits.benefit, 0.0) as benefit,
        coalesce(benefits.below, 0.0) as below,
        coalesce(benefits.above, 0.0) as above,
        coalesce(benefits.benefit_frozen, 0.0) as benefit_frozen,
        coalesce(benefits.worsened_value, 0.0) as worsened_value,
        coalesce(benefits.not_attributed_value, 0.0) as not_attributed_value,
        coalesce(benefits.effects_without_price, 0) as effects_without_price,
        cast(case when lifecycle.ticketed_at is null then 0 else 1 end as bigint) as tickets,
        case
            when acts.issue_id is null then cast(0 as bigint)
            when lifecycle.rejected_at is not null then acts.acts
            else acts.acts_without_effect
        end as wrong_acts,
        settings.cost_hours_per_ticket * settings.cost_engineer_hour as cost_per_ticket,
        settings.cost_wrong_act as cost_per_wrong_act
    from {{ ref('fct_issues') }} as issues
    cross join {{ ref('stg_playbook_settings') }} as settings
    left join benefits on issues.issue_id = benefits.issue_id
    left join acts on issues.issue_id = acts.issue_id
    left join {{ ref('fct_issue_lifecycle') }} as lifecycle on issues.issue_id = lifecycle.issue_id

),

costed as (

    select
        *,
        tickets * cost_per_ticket as cost_engineering,
        wrong_acts * cost_per_wrong_act as cost_wrong_acts
    from joined

)

select
    issue_id,
    product,
    issue_type,
    month,
    release_cohort,
    {{ season_of('month') }} as season,
    currency,
    has_intervention,
    tickets,
    wrong_acts,
    effects_without_price,
    {%- for kind in kinds %}
        {{ rounded('benefit_' ~ kind, 2) }} as benefit_{{ kind }},
    {%- endfor %}
    {{ rounded('benefit', 2) }} as benefit,
    {{ rounded('benefit - below', 2) }} as benefit_low,
    {{ rounded('benefit + above', 2) }} as benefit_high,
    {{ rounded('benefit_frozen', 2) }} as benefit_frozen,
    {{ rounded('not_attributed_value', 2) }} as not_attributed_value,
    {{ rounded('worsened_value', 2) }} as worsened_value,
    {{ rounded('cost_engineering', 2) }} as cost_engineering,
    {{ rounded('cost_wrong_acts', 2) }} as cost_wrong_acts,
    {{ rounded('cost_engineering + cost_wrong_acts', 2) }} as cost,
    {{ rounded('benefit - cost_engineering - cost_wrong_acts', 2) }} as net
from costed

{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

with evidence as (

    select * from {{ ref('int_issue_evidence') }}

),

taxonomy as (

    select * from {{ ref('taxonomy') }}

),

excess as (

    select * from {{ ref('int_issue_excess') }}

),

weights as (

    select * from {{ ref('severity_weights') }}

),

-- Measures of each issue, one row per term. A measure that is no signal counts as no change. A new term is a row of the
-- seed severity_weights and a `when` here.
measured as (

    select
        evidence.issue_id,
        weights.term,
        cast(weights.weight as double) as weight,
        cast(weights.full_at as double) as full_at,
        weights.scale,
        weights.meaning,
        cast(case weights.term
            when 'volume' then coalesce(excess.excess, 0.0)
            when 'velocity' then coalesce(evidence.peak_times_expected, 1.0)
            when 'technical' then evidence.technical_ratio
            when 'release' then case when evidence.has_change then evidence.candidate_confidence else 0.0 end
            when 'revenue' then evidence.revenue_at_risk
            when 'journey' then taxonomy.journey_weight
            when 'customer_value' then evidence.segment_weight
            when 'support' then case when evidence.has_support_load then evidence.support_ratio else 1.0 end
        end as double) as measured
    from evidence
    inner join taxonomy on evidence.issue_type = taxonomy.issue_type
    left join excess on evidence.issue_id = excess.issue_id
    cross join weights

),

valued as (

    select
        *,
        case
            when scale = 'logarithmic' then {{ log_scale('measured', 'full_at') }}
            when scale = 'doublings' then {{ doublings('measured', 'full_at') }}
            else least(1.0, greatest(0.0, measured / full_at))
        end as value
    from measured

)

select
    issue_id,
    term,
    {{ rounded('measured') }} as measured,
    {{ rounded('value') }} as value,
    weight,
    {{ rounded('value * weight', 2) }} as points,
    meaning
from valued

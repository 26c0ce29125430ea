with evidence as (

    select * from {{ ref('int_issue_evidence') }}

),

inputs as (

    select
        evidence.issue_id,
        taxonomy.journey_weight,
        evidence.peak_times_expected,
        evidence.error_ratio,
        evidence.has_technical,
        evidence.candidate_confidence,
        evidence.has_change,
        evidence.revenue_at_risk,
        evidence.segment_weight,
        evidence.support_ratio,
        evidence.has_support,
        coalesce(excess.excess, 0.0) as excess
    from evidence
    inner join {{ ref('taxonomy') }} as taxonomy on evidence.issue_type = taxonomy.issue_type
    left join {{ ref('int_issue_excess') }} as excess on evidence.issue_id = excess.issue_id

),

-- One row per issue and term: what was measured.
measured as (

    select issue_id, 'volume' as term, excess as measured from inputs
    union all
    select issue_id, 'velocity' as term, coalesce(peak_times_expected, 1.0) as measured from inputs
    union all
    select issue_id, 'technical' as term, case when has_technical then error_ratio else 1.0 end as measured from inputs
    union all
    select issue_id, 'release' as term, case when has_change then candidate_confidence else 0.0 end as measured from inputs
    union all
    select issue_id, 'revenue' as term, revenue_at_risk as measured from inputs
    union all
    select issue_id, 'journey' as term, cast(journey_weight as double) as measured from inputs
    union all
    select issue_id, 'customer_value' as term, segment_weight as measured from inputs
    union all
    select issue_id, 'support' as term, case when has_support then support_ratio else 1.0 end as measured from inputs

),

valued as (

    select
        measured.issue_id,
        measured.term,
        measured.measured,
        cast(weights.weight as double) as weight,
        weights.meaning,
        case
            when measured.term in ('volume', 'revenue')
                then {{ log_scale('measured.measured', 'cast(weights.full_at as double)') }}
            when measured.term in ('velocity', 'technical', 'support') then {{ doublings('measured.measured') }}
            else least(1.0, greatest(0.0, measured.measured))
        end as value
    from measured
    inner join {{ ref('severity_weights') }} as weights on measured.term = weights.term

)

select
    issue_id,
    term,
    cast(measured as double) as measured,
    cast(value as double) as value,
    weight,
    cast(value * weight as double) as points,
    meaning
from valued

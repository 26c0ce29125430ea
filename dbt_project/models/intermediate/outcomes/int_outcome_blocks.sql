-- Counts in the windows of each intervention, by series and block. Block 0 comes after the act; 1 is the day before it,
-- 2 the day before that, and so on. The hour of the act itself is left out. Only the scopes of the issue's own kind.
with joined as (

    select
        windows.intervention_id,
        windows.shift,
        hours.measure,
        hours.product,
        hours.series,
        hours.scope_value,
        case
            when hours.hour > windows.acted_at then 0
            else 1 + cast(floor({{ seconds_between('hours.hour', 'windows.acted_at') }} / 86400.0) as int)
        end as block,
        hours.amount,
        hours.exposure
    from {{ ref('int_outcome_windows') }} as windows
    inner join {{ ref('int_outcome_hours') }} as hours
        on
            windows.scope_kind = hours.scope_kind
            and windows.before_from < hours.hour
            and windows.measured_until >= hours.hour
            and (windows.acted_at >= hours.hour or windows.acted_at + {{ hours(1) }} <= hours.hour)

)

select
    intervention_id,
    shift,
    measure,
    product,
    series,
    scope_value,
    block,
    cast(sum(cast(amount as decimal(24, 6))) as double) as amount,
    cast(sum(cast(exposure as decimal(24, 6))) as double) as exposure
from joined
group by intervention_id, shift, measure, product, series, scope_value, block

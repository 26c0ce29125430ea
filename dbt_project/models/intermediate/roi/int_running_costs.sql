-- Running cost by product and month: the monthly cost for the part of the month since the first adoption, split over
-- the products that have adopted the loop by their share of the feedback since each one's adoption.
with feedback as (

    select
        feedback.product,
        date_trunc('month', feedback.counted_at) as month,
        cast(count(*) as bigint) as pieces
    from {{ ref('int_feedback') }} as feedback
    inner join {{ ref('int_adoptions') }} as adoptions
        on feedback.product = adoptions.product and feedback.counted_at >= adoptions.adopted_at
    group by feedback.product, date_trunc('month', feedback.counted_at)

),

begun as (

    select min(adopted_at) as begun_at from {{ ref('int_adoptions') }}

),

spans as (

    select
        feedback.*,
        sum(feedback.pieces) over (partition by feedback.month) as all_pieces,
        greatest(feedback.month, begun.begun_at) as charged_from,
        least(date_trunc('month', feedback.month + {{ days(31) }}), {{ as_of() }}) as charged_until,
        date_trunc('month', feedback.month + {{ days(31) }}) as next_month
    from feedback
    cross join begun

),

parts as (

    select
        *,
        cast(pieces as double) / all_pieces as feedback_share,
        least(
            1.0,
            {{ seconds_between('charged_from', 'charged_until') }} / {{ seconds_between('month', 'next_month') }}
        ) as month_share
    from spans

)

select
    parts.product,
    parts.month,
    {{ rounded('parts.feedback_share') }} as feedback_share,
    {{ rounded('parts.month_share') }} as month_share,
    {{ rounded('settings.cost_running_month * parts.month_share * parts.feedback_share', 2) }} as cost_running
from parts
cross join {{ ref('stg_playbook_settings') }} as settings

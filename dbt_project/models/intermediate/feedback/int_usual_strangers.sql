-- Usual share of strangers (people unknown, or seen for the first time within the last day) in the feedback of a
-- product's channel: days 4 to 31 back, with ten pieces of strangers added, so that from little history nothing stands
-- out.
with daily as (

    select
        product,
        channel,
        {{ day_of(tick_of('counted_at')) }} as day,
        cast(count(*) as double) as pieces,
        cast(count(*) filter (where not is_known_person or is_new_account) as double) as strangers
    from {{ ref('int_feedback_people') }}
    where
        not is_spam
        and counted_at > {{ rebuild_from() }} - {{ days(var('baseline_last_day') + var('baseline_first_day')) }}
    group by product, channel, {{ day_of(tick_of('counted_at')) }}

),

usual as (

    select
        product,
        channel,
        day,
        (coalesce(sum(strangers) over baseline, 0.0) + 10.0) / (coalesce(sum(pieces) over baseline, 0.0) + 10.0)
            as usual_share
    from daily
    window baseline as (
        partition by product, channel
        order by day
        {{ in_baseline() }}
    )

)

select
    product,
    channel,
    day,
    {{ rounded('usual_share') }} as usual_share
from usual
where day >= {{ rebuild_from() }}

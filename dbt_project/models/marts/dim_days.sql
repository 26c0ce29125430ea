with digits as (

    select numbers.n from {{ numbers(0, 9) }}

),

span as (

    select
        date_trunc('day', min(occurred_at)) as first_day,
        date_trunc('day', max(known_at)) as last_day
    from {{ ref('fct_feedback') }}

)

-- Up to ten thousand days.
select span.first_day + (ones.n + 10 * tens.n + 100 * hundreds.n + 1000 * thousands.n) * {{ days(1) }} as day
from span
cross join digits as ones
cross join digits as tens
cross join digits as hundreds
cross join digits as thousands
where span.first_day + (ones.n + 10 * tens.n + 100 * hundreds.n + 1000 * thousands.n) * {{ days(1) }} <= span.last_day

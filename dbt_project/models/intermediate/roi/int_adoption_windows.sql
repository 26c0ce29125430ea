-- Counts before and after each adoption, and a year before both, in each product; and the same at earlier shifts, for
-- placebos. Before: the four weeks up to the adoption. After: the latest four whole weeks since, at most twelve weeks
-- after it. Spans of different shifts do not overlap.
{% set length = var('adoption_weeks') * 7 %}
with adoptions as (

    select
        product,
        adopted_at,
        cast(floor({{ seconds_between('adopted_at', as_of()) }} / 604800.0) as int) as weeks_since
    from {{ ref('int_adoptions') }}
    where adopted_at is not null

),

spans as (

    select
        product as adopter,
        adopted_at,
        7 * greatest(0, least(weeks_since, {{ var('adoption_last_week') }}) - {{ var('adoption_weeks') }}) as lag_days
    from adoptions
    where weeks_since >= {{ var('adoption_weeks') }}

),

shifts as (

    select
        spans.*,
        numbers.n as shift,
        -numbers.n * ({{ 2 * length }} + spans.lag_days) as offset_days
    from spans
    cross join {{ numbers(0, var('adoption_shifts')) }}

),

-- Whole days from the adoption to each day; of this year, and of the year before as if they were of this one.
placed as (

    select
        spans.adopter,
        days.product,
        days.measure,
        days.amount,
        days.exposure,
        years.n as year,
        cast(round({{ seconds_between('spans.adopted_at', 'days.day') }} / 86400.0) as int) + years.n * 364 as distance
    from spans
    cross join {{ ref('int_adoption_days') }} as days
    cross join (values (0), (1)) as years (n)

),

windows as (

    select
        placed.*,
        shifts.lag_days,
        shifts.shift,
        shifts.offset_days,
        case when placed.distance < shifts.offset_days then 'before' else 'after' end as period
    from placed
    inner join shifts
        on
            placed.adopter = shifts.adopter
            and (
                placed.distance between shifts.offset_days - {{ length }} and shifts.offset_days - 1
                or placed.distance between shifts.offset_days + shifts.lag_days
                and shifts.offset_days + shifts.lag_days + {{ length - 1 }}
            )

)

select
    adopter,
    measure,
    product,
    cast(shift as bigint) as shift,
    -- End of the window after, in days from the adoption.
    cast(max(offset_days + lag_days) + {{ length }} as bigint) as ends_day,
    cast(max(lag_days) as bigint) as lag_days,
    {%- set columns = [] %}
    {%- for year, suffix in [(0, ''), (1, '_last_year')] %}
        {%- for period in ['before', 'after'] %}
            {%- for column, name in [('amount', 'count'), ('exposure', 'exposure')] %}
                {%- set inside = "year = " ~ year ~ " and period = '" ~ period ~ "'" %}
                {%- set total = exact_sum('case when ' ~ inside ~ ' then ' ~ column ~ ' end') %}
                {%- set _ = columns.append('coalesce(' ~ total ~ ', 0.0) as ' ~ name ~ '_' ~ period ~ suffix) %}
            {%- endfor %}
        {%- endfor %}
    {%- endfor %}
    {{ columns | join(',\n    ') }}
from windows
group by adopter, measure, product, shift

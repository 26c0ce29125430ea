{# Instants. Every timestamp in the warehouse is UTC; `as_of()` is the only clock that models read. #}

{% macro as_of() -%}
    {%- if var('as_of', '') -%} cast('{{ var("as_of") }}' as timestamp) {%- else -%} cast(current_timestamp as timestamp) {%- endif -%}
{%- endmacro %}

{# The tick of an instant: the end of its quarter of an hour, at which a row known then is first counted. #}
{% macro tick_of(instant) -%}
    date_trunc('hour', {{ instant }})
    + cast(ceil({{ seconds_between("date_trunc('hour', " ~ instant ~ ")", instant) }} / 900.0) as int) * interval '15' minute
{%- endmacro %}

{# The day that a tick belongs to, as its first instant: midnight itself ends the day before. #}
{% macro day_of(tick) -%}
    date_trunc('day', {{ tick }} - interval '1' minute)
{%- endmacro %}

{# Hour of the day (0 to 23) of what a tick counts: midnight ends hour 23. #}
{% macro hour_of(tick) -%}
    cast(floor({{ seconds_between(day_of(tick), tick ~ " - interval '1' minute") }} / 3600.0) as int)
{%- endmacro %}

{# Instant at which a row enters the counts: known_at, or happened_at for a backfill (more than `backfill_days` late);
   otherwise loading history would look like a storm of complaints today. #}
{% macro counted_at(happened_at, known_at) -%}
    case
        when {{ seconds_between(happened_at, known_at) }} <= {{ var('backfill_days') * 86400 }} then {{ known_at }}
        else {{ happened_at }}
    end
{%- endmacro %}

{# Evidence weight of feedback that was counted within so many hours of being written, else 0. #}
{% macro fresh(n) -%}
    case when {{ seconds_between('occurred_at', 'counted_at') }} <= {{ n }} * 3600 then evidence_weight else 0.0 end
{%- endmacro %}

{# The hour of an instant, named by its end. #}
{% macro hour_end(instant) -%} date_trunc('hour', {{ instant }}) + interval '1' hour {%- endmacro %}

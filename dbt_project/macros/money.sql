{# Money: sums, intervals of sums, and the quarter that they are told by. #}

{# Sum that does not depend on the order of its rows; null where no row has a value. #}
{% macro exact_sum(x) -%} cast(sum(cast({{ x }} as decimal(24, 6))) as double) {%- endmacro %}

{# Distance of a sum of independent estimates to one end of its interval: their own distances, added in quadrature (the
   variance of a sum of independent quantities is the sum of their variances; JCGM 100:2008, 5.1.2). #}
{% macro in_quadrature(distance) -%}
    sqrt({{ exact_sum('(' ~ distance ~ ') * (' ~ distance ~ ')') }})
{%- endmacro %}

{# Quarter of an instant, as 2026-Q2. #}
{% macro season_of(instant) -%}
    {{ as_text('cast(extract(year from ' ~ instant ~ ') as int)') }}
    || '-Q' || {{ as_text('cast(extract(quarter from ' ~ instant ~ ') as int)') }}
{%- endmacro %}

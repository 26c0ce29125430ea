{# Windows of time and of days. Their lengths are vars of dbt_project.yml; decisioning/windows.py reads them, too. #}

{# An interval in hours: a RANGE bound of one unit is all that Spark takes. #}
{% macro hours(n) -%} interval '{{ n }}' hour {%- endmacro %}

{# An interval of so many minutes, for sums. #}
{% macro minutes(n) -%} {{ n }} * interval '1' minute {%- endmacro %}

{% macro days(n) -%} {{ hours(n * 24) }} {%- endmacro %}

{# The rows of a window over days that lie in the baseline of the current one: days 4 to 31 back. #}
{% macro in_baseline() -%}
    range between {{ days(var('baseline_last_day')) }} preceding and {{ days(var('baseline_first_day')) }} preceding
{%- endmacro %}

{# The rows of a window over ticks that lie in the last hours, the tick itself included and the one so long ago not: ticks
   are quarters of an hour. #}
{% macro in_last_hours(n) -%} range between interval '{{ n * 60 - 15 }}' minute preceding and current row {%- endmacro %}

{# Columns <name>_<n>h: running sums over the last n hours of a relation with a row for each tick, per key. `columns` maps a
   name to what is summed. #}
{% macro running_sums(columns, keys, lengths) -%}
    {%- set sums = [] -%}
    {%- for length in lengths -%}
        {%- for name, column in columns.items() -%}
            {%- set _ = sums.append(
                'sum(' ~ column ~ ') over (partition by ' ~ keys | join(', ') ~ ' order by tick ' ~ in_last_hours(length)
                ~ ') as ' ~ name ~ '_' ~ length ~ 'h'
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ sums | join(',\n        ') }}
{%- endmacro %}

{# The whole numbers from one to another, as a relation `numbers (n)` for a FROM clause. #}
{% macro numbers(first, last) -%}
    (values {% for n in range(first, last + 1) %}({{ n }}){{ ', ' if not loop.last }}{% endfor %}) as numbers (n)
{%- endmacro %}

{% macro baseline_days() -%} {{ var('baseline_last_day') - var('baseline_first_day') + 1 }} {%- endmacro %}

{# The distances, in days, of the days of a baseline: 4 to 31. #}
{% macro baseline_days_back() -%} {{ numbers(var('baseline_first_day'), var('baseline_last_day')) }} {%- endmacro %}

{# Rows repeated by scope: once for each kind of scope in which they have a value; 'all' is the whole product. #}
{% macro by_scope(relation, columns, kinds=['all', 'platform', 'country']) -%}
    {%- for kind in kinds %}
    select
        {{ columns | join(', ') }},
        '{{ kind }}' as scope_kind,
        {{ "'all'" if kind == 'all' else kind }} as scope_value
    from {{ relation }}
    {%- if kind != 'all' %}
    where {{ kind }} is not null
    {%- endif %}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
{%- endmacro %}

{# Sums over trailing windows, at every tick at which one of them changes: a value enters its windows at its tick and
   leaves each of them its length later. `values` maps a name to the column that is summed. One row per key and such tick,
   with `next_tick` (it may lie ahead), and a column `<name>_24h` and so on for each value and window. #}
{% macro trailing_sum(relation, keys, values, windows) -%}
    {%- set key = keys | join(', ') -%}
    select
        {{ key }},
        tick,
        lead(tick) over (partition by {{ key }} order by tick) as next_tick
        {%- for name in values %}{% for length in windows %},
        sum({{ name }}_change_{{ length }}h) over (
            partition by {{ key }} order by tick rows unbounded preceding
        ) as {{ name }}_{{ length }}h
        {%- endfor %}{% endfor %}
    from (
        select
            {{ key }},
            tick
            {%- for name in values %}{% for length in windows %},
            sum({{ name }}_change_{{ length }}h) as {{ name }}_change_{{ length }}h
            {%- endfor %}{% endfor %}
        from (
            {%- for step in [0] + windows %}
            select
                {{ key }},
                tick{{ ' + ' ~ hours(step) if step }} as tick
                {%- for name, column in values.items() %}{% for length in windows %},
                {{ column if step == 0 else '-' ~ column if step == length else '0' }} as {{ name }}_change_{{ length }}h
                {%- endfor %}{% endfor %}
            from {{ relation }}
            {%- if not loop.last %}
            union all
            {%- endif %}
            {%- endfor %}
        ) as steps
        group by {{ key }}, tick
    ) as changes
{%- endmacro %}

{# The distances, in days, over which feedback stays in trailing counts before it enters the baseline: 0 to 3. #}
{% macro trailing_days() -%} {{ numbers(0, var('baseline_first_day') - 1) }} {%- endmacro %}

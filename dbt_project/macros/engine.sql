{# Everything that DuckDB and Spark spell differently, and nothing else: the models call these by their meaning. #}

{# Read one lake table, whatever files it has from some day on; the first file carries the full schema. #}
{% macro lake_relation(table, since) %}{{ return(adapter.dispatch('lake_relation')(table, since)) }}{% endmacro %}

{% macro duckdb__lake_relation(table, since) -%}
    {%- set files = lake_root() | replace("'", "''") ~ '/' ~ table ~ '/*/*.parquet' -%}
    {%- if since -%}
        {%- set found = run_query(
            "select file from glob('" ~ files ~ "') where regexp_extract(file, 'ingest_date=([0-9-]+)', 1) in ('1970-01-01')"
            ~ " or regexp_extract(file, 'ingest_date=([0-9-]+)', 1) >= '" ~ since ~ "' order by file"
        ) -%}
        {%- set files = found.columns[0].values() | map('replace', "'", "''") | join("', '") -%}
    {%- endif -%}
    select * from read_parquet(['{{ files }}'], union_by_name = true, hive_partitioning = true)
{%- endmacro %}

{% macro spark__lake_relation(table, since) -%}
    select * from parquet.`{{ lake_root() }}/{{ table }}`
    {%- if since %} where ingest_date = date'1970-01-01' or ingest_date >= date'{{ since }}' {%- endif %}
{%- endmacro %}

{# Seconds from one instant to a later one, as a double. #}
{% macro seconds_between(earlier, later) %}{{ return(adapter.dispatch('seconds_between')(earlier, later)) }}{% endmacro %}

{% macro duckdb__seconds_between(earlier, later) -%}
    (epoch({{ later }}) - epoch({{ earlier }}))
{%- endmacro %}

{% macro spark__seconds_between(earlier, later) -%}
    (cast({{ later }} as double) - cast({{ earlier }} as double))
{%- endmacro %}

{# One JSON array (text) of objects, in the given order. `fields` maps key -> SQL expression. #}
{% macro json_list(fields, order_by) %}{{ return(adapter.dispatch('json_list')(fields, order_by)) }}{% endmacro %}

{% macro duckdb__json_list(fields, order_by) -%}
    cast(to_json(list({ {%- for key, value in fields.items() -%} '{{ key }}': {{ value }}{{ ', ' if not loop.last }}{%- endfor -%} }
        order by {{ order_by | join(', ') }})) as varchar)
{%- endmacro %}

{% macro spark__json_list(fields, order_by) -%}
    to_json(transform(
        array_sort(collect_list(struct(
            {%- for column in order_by %}{{ column }} as ord{{ loop.index }}, {% endfor -%}
            struct({%- for key, value in fields.items() -%} {{ value }} as {{ key }}{{ ', ' if not loop.last }}{%- endfor -%}) as item
        ))),
        entry -> entry.item
    ), map('ignoreNullFields', 'false'))
{%- endmacro %}

{# The text at a path of a JSON text, null if there is none. #}
{% macro json_text(json, path) %}{{ return(adapter.dispatch('json_text')(json, path)) }}{% endmacro %}

{% macro duckdb__json_text(json, path) -%} json_extract_string({{ json }}, '{{ path }}') {%- endmacro %}

{% macro spark__json_text(json, path) -%} get_json_object({{ json }}, '{{ path }}') {%- endmacro %}

{# Rows of the key phrases in a label's JSON list, each a struct with the field `phrase`; for a select list. #}
{% macro key_phrases_of(json) %}{{ return(adapter.dispatch('key_phrases_of')(json)) }}{% endmacro %}

{% macro duckdb__key_phrases_of(json) -%}
    unnest(from_json({{ json }}, '[{"phrase": "VARCHAR"}]'))
{%- endmacro %}

{% macro spark__key_phrases_of(json) -%}
    explode(from_json({{ json }}, 'array<struct<phrase: string>>'))
{%- endmacro %}

{# The value below which a share of the values of a group lie, interpolated; nulls do not count. #}
{% macro percentile_of(x, share) %}{{ return(adapter.dispatch('percentile_of')(x, share)) }}{% endmacro %}

{% macro duckdb__percentile_of(x, share) -%} quantile_cont({{ x }}, {{ share }}) {%- endmacro %}

{% macro spark__percentile_of(x, share) -%} percentile({{ x }}, {{ share }}) {%- endmacro %}

{# The lake's Parquet as plain views in the schema `lake`, so that every engine and every unit test sees ordinary tables. #}

{% macro lake_root() %}{{ return(env_var('FEEDBACK_HOME', '../.feedback-control') ~ '/lake') }}{% endmacro %}

{# First day that a build reads of a table that grows without end: feedback since the rebuild starts, telemetry since
   the evidence of the open issues starts. #}
{% macro lake_since(table) -%}
    {%- if table in ['feedback', 'labels'] -%} {{ return(var('rebuild_from', '')[:10]) }}
    {%- elif table in ['service_metrics', 'funnel_metrics', 'orders'] -%} {{ return(var('history_from', '')[:10]) }}
    {%- endif -%}
    {{ return('') }}
{%- endmacro %}

{% macro register_lake() %}
    {% if execute and flags.INTROSPECT %}
        {% do run_query('create schema if not exists lake') %}
        {% for node in graph.sources.values() if node.source_name == 'lake' %}
            {% do run_query('create or replace view lake.' ~ node.name ~ ' as ' ~ lake_relation(node.name, lake_since(node.name))) %}
        {% endfor %}
    {% endif %}
    select 1 as lake_registered
{% endmacro %}

{# Incremental builds. Rows up to `rebuild_from` are kept: nothing landed since the last build touches them. An
   incremental model first deletes its rows after that instant (or of issues that can still change), then appends them as
   they are now. decisioning/incremental.py computes the instant; without one, and when dbt compiles without asking the
   warehouse, everything is rebuilt. #}

{% macro rebuild_from() -%} cast('{{ var("rebuild_from", "") or "1970-01-01" }}' as timestamp) {%- endmacro %}

{# Start of the evidence of open issues: nothing before it is read for them. #}
{% macro history_from() -%} cast('{{ var("history_from", "") or "1970-01-01" }}' as timestamp) {%- endmacro %}

{% macro forget_since(column) -%}
    {%- if flags.INTROSPECT and is_incremental() -%} delete from {{ this }} where {{ column }} > {{ rebuild_from() }} {%- endif -%}
{%- endmacro %}

{# First day of orders that a build makes anew: from some weeks before the rebuild on, when the days before are settled. #}
{% macro settled_until() -%} date_trunc('day', {{ rebuild_from() }} - {{ days(var('order_settled_days')) }}) {%- endmacro %}

{% macro forget_days(since) -%}
    {%- if flags.INTROSPECT and is_incremental() -%}
        delete from {{ this }} where day >= date_trunc('day', {{ since }})
    {%- endif -%}
{%- endmacro %}

{% macro forget_live_issues() -%}
    {%- if flags.INTROSPECT and is_incremental() -%}
        delete from {{ this }}
        where issue_id not in (select issue_id from {{ this.include(identifier=false) }}.int_episodes where not is_live)
    {%- endif -%}
{%- endmacro %}

{% macro is_new(id) -%}
    {%- if flags.INTROSPECT and is_incremental() -%} {{ id }} not in (select {{ id }} from {{ this }}) {%- else -%} true {%- endif -%}
{%- endmacro %}

{# Data tests of a model with `rebuilt_by` cover the rows of this build; earlier rows passed when they were built. #}
{% macro get_where_subquery(relation) -%}
    {%- set tested = graph.nodes.get(model.attached_node) if execute else none -%}
    {%- set column = tested.config.meta.get('rebuilt_by') if tested else none -%}
    {%- set conditions = [config.get('where'), column ~ ' > ' ~ rebuild_from() if column else none] | select | list -%}
    {%- if conditions -%}
        (select * from {{ relation }} where {{ conditions | join(' and ') }}) as rebuilt
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}

{# True for an intervention whose outcome may differ from what the last build measured. Later nothing can change it: what
   people and systems tell after `outcome_late_days` does not count. #}
{% macro outcome_is_due(relation) -%}
    (
        {{ relation }}.window_ends_at + {{ days(var('outcome_late_days')) }} > {{ rebuild_from() }}
        or {{ relation }}.issue_id in (select issue_id from {{ ref('int_episodes') }} where is_live)
    )
{%- endmacro %}

{% macro forget_due_outcomes() -%}
    {%- if flags.INTROSPECT and is_incremental() -%}
        delete from {{ this }}
        where
            window_ends_at + {{ days(var('outcome_late_days')) }} > {{ rebuild_from() }}
            or issue_id not in (select issue_id from {{ this.include(identifier=false) }}.int_episodes where not is_live)
    {%- endif -%}
{%- endmacro %}

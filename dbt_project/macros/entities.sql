{# Values that the labels extract from texts (models_ml/text/entities.py), beside the columns of the source. #}

{# The only value of a kind in a text; null if there are several. "Worked in 5.1.4, broken since 5.2.0" does not tell
   the version that the customer has. #}
{% macro only_named(entities, kind) -%}
    case
        when {{ json_text(entities, '$.' ~ kind ~ '[1]') }} is null
            then {{ json_text(entities, '$.' ~ kind ~ '[0]') }}
    end
{%- endmacro %}

{# The source's value, else the one named in the text; and its origin: source or text. #}
{% macro source_or_named(column, named) -%} coalesce(nullif({{ column }}, ''), {{ named }}) {%- endmacro %}

{% macro value_origin(column, named) -%}
    case when nullif({{ column }}, '') is not null then 'source' when {{ named }} is not null then 'text' end
{%- endmacro %}

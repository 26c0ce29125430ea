{# Values that the labels extract from texts (models_ml/text/entities.py), beside the columns of the source. #}

{# The value of one kind that a text names, if it names exactly one. "Worked in 5.1.4, broken since 5.2.0" says which
   versions there are, not which one the customer has. #}
{% macro only_named(entities, kind) -%}
    case
        when {{ json_text(entities, '$.' ~ kind ~ '[1]') }} is null
            then {{ json_text(entities, '$.' ~ kind ~ '[0]') }}
    end
{%- endmacro %}

{# The source's value, else the one named in the text; and which of them it is. #}
{% macro told(column, named) -%} coalesce(nullif({{ column }}, ''), {{ named }}) {%- endmacro %}

{% macro told_by(column, named) -%}
    case when nullif({{ column }}, '') is not null then 'source' when {{ named }} is not null then 'text' end
{%- endmacro %}

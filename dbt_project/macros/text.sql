{# Numbers and instants as they stand in sentences; every engine spells these the same. #}

{% macro as_text(x) -%} cast({{ x }} as {{ dbt.type_string() }}) {%- endmacro %}

{% macro whole(x) -%} cast(cast(round({{ x }}) as bigint) as {{ dbt.type_string() }}) {%- endmacro %}

{% macro decimals(x, digits) -%} cast(round({{ x }}, {{ digits }}) as {{ dbt.type_string() }}) {%- endmacro %}

{% macro minute_of(instant) -%} substring(cast({{ instant }} as {{ dbt.type_string() }}), 1, 16) {%- endmacro %}

{# Hash of what tells a person apart, the same in any case; null for null. #}
{% macro person_hash(id) -%} 'person-' || substring(md5(lower({{ id }})), 1, 16) {%- endmacro %}

{# An id of a person as the warehouse holds it. Where a source uses an e-mail address, a phone number or a name as the id, a
   hash of it: persons are still counted and joined, and nobody reads who they are. #}
{% macro pseudonym(id) -%}
    case
        when {{ id }} like '%@%' or {{ id }} like '+%' or {{ id }} like '% %'
            then {{ person_hash(id) }}
        else {{ id }}
    end
{%- endmacro %}

{# Numbers and instants as they stand in sentences; every engine spells these the same. #}

{% macro as_text(x) -%} cast({{ x }} as {{ dbt.type_string() }}) {%- endmacro %}

{% macro whole(x) -%} cast(cast(round({{ x }}) as bigint) as {{ dbt.type_string() }}) {%- endmacro %}

{% macro decimals(x, digits) -%} cast(round({{ x }}, {{ digits }}) as {{ dbt.type_string() }}) {%- endmacro %}

{% macro minute_of(instant) -%} substring(cast({{ instant }} as {{ dbt.type_string() }}), 1, 16) {%- endmacro %}

{# Rendering of what the playbook says of a mitigation: placeholders, JSON, versions. #}

{# Placeholders of items and desired states (decisioning/mitigations.py), each with its column in int_mitigation_candidates. #}
{% macro placeholders() -%}
    {{ return({
        'suspect_flag': 'suspect_flag', 'suspect_version': 'suspect_version', 'previous_version': 'previous_version',
        'suspect_release': 'suspect_release_id', 'product': 'product', 'platform': 'platform', 'feature': 'feature',
        'service': 'service', 'issue_id': 'issue_id'
    }) }}
{%- endmacro %}

{# A template with its placeholders filled in; one without a value stays as it is. #}
{% macro filled(template, in_json=false) -%}
    {%- set parts = {'text': template} -%}
    {%- for name, column in placeholders().items() -%}
        {%- set value = json_escaped(column) if in_json else column -%}
        {%- do parts.update(
            text="replace(" ~ parts.text ~ ", '{" ~ name ~ "}', coalesce(" ~ value ~ ", '{" ~ name ~ "}'))"
        ) -%}
    {%- endfor -%}
    {{ return(parts.text) }}
{%- endmacro %}

{# True if a placeholder is left in a text. #}
{% macro has_placeholder(text) -%}
    (
        {%- for name in placeholders() %}{{ text }} like '%{{ '{' ~ name ~ '}' }}%'{{ ' or ' if not loop.last }}{% endfor -%}
    )
{%- endmacro %}

{# A text as it stands between the quotes of a JSON string; chr(92) is the backslash. #}
{% macro json_escaped(x) -%}
    replace(replace({{ x }}, chr(92), chr(92) || chr(92)), '"', chr(92) || '"')
{%- endmacro %}

{# True if a version is at or above another: up to four numbers with dots; null where they cannot be told apart. #}
{% macro is_version_from(version, least) -%}
    {%- set state = {'sql': version_part(version, 4) ~ ' >= ' ~ version_part(least, 4)} -%}
    {%- for n in [3, 2, 1] -%}
        {%- set own, other = version_part(version, n), version_part(least, n) -%}
        {%- do state.update(sql=own ~ ' > ' ~ other ~ ' or (' ~ own ~ ' = ' ~ other ~ ' and (' ~ state.sql ~ '))') -%}
    {%- endfor -%}
    case when {{ version }} is not null and {{ least }} is not null then {{ state.sql }} end
{%- endmacro %}

{# One number of a version; 0 where it has fewer. #}
{% macro version_part(version, n) -%}
    {{ return("try_cast(coalesce(nullif(split_part(" ~ version ~ ", '.', " ~ n ~ "), ''), '0') as bigint)") }}
{%- endmacro %}

{% test unique_combination_of_columns(model, combination_of_columns, nullable=[]) %}
{# The primary key of a model: no two rows share these columns, and none of them is null but the `nullable` ones. #}
{%- set key = combination_of_columns | join(', ') %}
select {{ key }}, count(*) as rows_found
from {{ model }}
group by {{ key }}
having count(*) > 1
{%- for column in combination_of_columns if column not in nullable %} or {{ column }} is null{% endfor %}
{% endtest %}

{% test unique_combination(model, columns, nullable=false) %}
{# The grain of a model: no two rows share these columns, and none of them is null unless the grain says it may be. #}
select {{ columns | join(', ') }}, count(*) as rows_found
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{%- if not nullable %}{% for column in columns %} or {{ column }} is null{% endfor %}{% endif %}
{% endtest %}

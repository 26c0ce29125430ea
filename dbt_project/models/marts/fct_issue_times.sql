-- Median and 90th percentile of each clock, over all issues and by what they have in common.
{% set clocks = [
    'to_complain', 'to_detect', 'unnoticed', 'to_ticket', 'to_touch', 'to_plan', 'to_approve', 'to_force', 'to_verify',
    'to_mitigate', 'to_fix', 'to_usual', 'to_resolve'
] %}
{% set dimensions = ['all', 'month', 'season', 'product', 'issue_type', 'priority', 'release_cohort'] %}
with issues as (

    select
        lifecycle.*,
        'all' as of_all,
        substring({{ as_text("date_trunc('month', lifecycle.detected_at)") }}, 1, 7) as of_month,
        {{ as_text("cast(extract(year from lifecycle.detected_at) as int)") }}
        || '-Q' || {{ as_text("cast(extract(quarter from lifecycle.detected_at) as int)") }} as of_season,
        lifecycle.product as of_product,
        lifecycle.issue_type as of_issue_type,
        lifecycle.priority as of_priority,
        substring({{ as_text("date_trunc('month', changes.changed_at)") }}, 1, 7) as of_release_cohort
    from {{ ref('fct_issue_lifecycle') }} as lifecycle
    left join {{ ref('int_changes') }} as changes
        on lifecycle.product = changes.product and lifecycle.suspect_release_id = changes.change_id

),

measured as (

    {% for clock in clocks %}
        select
            issue_id,
            '{{ clock }}' as clock,
            {{ loop.index }} as position,
            minutes_{{ clock }} as minutes
        from issues
        where minutes_{{ clock }} is not null
        {% if not loop.last %}
            union all
        {% endif %}
    {% endfor %}

),

grouped as (

    {% for dimension in dimensions %}
        select
            issue_id,
            '{{ dimension }}' as dimension,
            of_{{ dimension }} as value
        from issues
        where of_{{ dimension }} is not null
        {% if not loop.last %}
            union all
        {% endif %}
    {% endfor %}

)

select
    grouped.dimension,
    grouped.value,
    measured.clock,
    cast(measured.position as bigint) as clock_position,
    cast(count(*) as bigint) as issues,
    {{ rounded(percentile_of('measured.minutes', 0.5), 2) }} as median_minutes,
    {{ rounded(percentile_of('measured.minutes', 0.9), 2) }} as p90_minutes
from grouped
inner join measured on grouped.issue_id = measured.issue_id
group by grouped.dimension, grouped.value, measured.clock, measured.position

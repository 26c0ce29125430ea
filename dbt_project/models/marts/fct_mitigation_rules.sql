-- Every rule that a mitigation must meet before it is proposed for an issue, with what is needed and what there is.
-- Rules about confidence, rollbacks and automatic acts are there where they are asked.
{% set rules = [
    {
        'rule': 'issue_open', 'needed_text': "'open'", 'actual_text': 'status', 'met': "status = 'open'"
    },
    {
        'rule': 'target_known', 'actual_text': 'target', 'met': 'is_target_known'
    },
    {
        'rule': 'suspect_known', 'actual_text': 'item', 'met': 'is_filled'
    },
    {
        'rule': 'not_so_already', 'actual_text': 'desired', 'met': 'not is_so_already'
    },
    {
        'rule': 'priority', 'needed_text': 'least_priority', 'actual_text': 'priority', 'met': 'priority <= least_priority'
    },
    {
        'rule': 'signals', 'needed': 'least_signals', 'actual': 'signals', 'met': 'signals >= least_signals'
    },
    {
        'rule': 'not_text_alone', 'needed': '1', 'actual': 'machine_signals', 'met': 'machine_signals >= 1'
    },
    {
        'rule': 'confidence', 'asked': 'least_confidence is not null', 'needed': 'least_confidence',
        'actual': 'release_confidence', 'met': 'release_confidence >= least_confidence'
    },
    {
        'rule': 'rollback_supported', 'asked': 'tier >= 2', 'needed_text': "'true'",
        'actual_text': as_text('rollback_supported'), 'met': 'rollback_supported'
    },
    {
        'rule': 'rollback_floor', 'asked': 'goes_back', 'needed_text': 'rollback_floor', 'actual_text': 'previous_version',
        'met': 'rollback_floor is null or is_above_floor'
    },
    {
        'rule': 'smaller_tier_first', 'needed': '0', 'actual': 'smaller_untried', 'actual_text': 'smaller_mitigation',
        'met': 'smaller_untried = 0'
    },
    {
        'rule': 'not_tried_in_this_episode', 'needed': '0', 'actual': 'acts_here', 'met': 'acts_here = 0'
    },
    {
        'rule': 'cooldown', 'needed': 'cooldown_hours', 'actual': 'hours_since_act',
        'met': 'cooled_at is null or cooled_at <= judged_at', 'until': 'cooled_at'
    },
    {
        'rule': 'max_per_day', 'needed': 'max_per_day', 'actual': 'acts_in_day', 'met': 'acts_in_day < max_per_day',
        'until': 'day_free_at'
    },
    {
        'rule': 'max_automatic_per_day', 'asked': "mode = 'auto'", 'needed': 'max_automatic_per_day',
        'actual': 'automatic_in_day', 'met': 'automatic_in_day < max_automatic_per_day', 'until': 'automatic_free_at'
    },
    {
        'rule': 'breaker', 'asked': "mode = 'auto'", 'needed': 'breaker_after', 'actual': 'ineffective_in_day',
        'met': 'ineffective_in_day < breaker_after', 'until': 'breaker_closes_at'
    }
] %}
with joined as (

    select
        candidates.*,
        issues.status,
        issues.priority,
        issues.signals,
        issues.release_confidence,
        issues.rollback_supported,
        limits.acts_here,
        limits.acts_in_day,
        limits.day_free_at,
        limits.automatic_in_day,
        limits.automatic_free_at,
        limits.max_automatic_per_day,
        limits.ineffective_in_day,
        limits.breaker_closes_at,
        limits.breaker_after,
        limits.smaller_untried,
        limits.smaller_mitigation,
        {{ seconds_between('limits.last_act_at', 'candidates.judged_at') }} / 3600.0 as hours_since_act,
        limits.last_act_at + {{ minutes('cast(candidates.cooldown_hours * 60.0 as int)') }} as cooled_at
    from {{ ref('int_mitigation_candidates') }} as candidates
    inner join {{ ref('int_mitigation_limits') }} as limits
        on candidates.issue_id = limits.issue_id and candidates.mitigation = limits.mitigation
    inner join {{ ref('fct_issues') }} as issues on candidates.issue_id = issues.issue_id

),

ruled as (
    {%- for one in rules %}

        select
            issue_id,
            mitigation,
            {{ loop.index }} as rule_position,
            '{{ one.rule }}' as rule,
            cast({{ one.needed or 'null' }} as double) as needed,
            {{ rounded(one.actual or 'null') }} as actual,
            cast({{ one.needed_text or 'null' }} as {{ dbt.type_string() }}) as needed_text,
            cast({{ one.actual_text or 'null' }} as {{ dbt.type_string() }}) as actual_text,
            coalesce({{ one.met }}, false) as met,
            cast({{ one.until or 'null' }} as timestamp) as met_from
        from joined
        {%- if one.asked %}
            where {{ one.asked }}
        {%- endif %}
        {%- if not loop.last %}

            union all
        {%- endif %}
    {%- endfor %}

)

select
    issue_id,
    mitigation,
    cast(rule_position as bigint) as rule_position,
    rule,
    needed,
    actual,
    needed_text,
    actual_text,
    met,
    case when not met then met_from end as until
from ruled

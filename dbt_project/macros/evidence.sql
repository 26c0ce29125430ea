{# Rows of evidence (int_issue_evidence_items), and the sentence beside their numbers. #}

{# One row of evidence; what is not given is null. Without `measure`, the column measure_name has its name. #}
{% macro evidence_item(
    position, kind, measure, stance,
    subject='null', subject_title='null', value='null', baseline='null', share='null', counted='null', total='null', happened_at='null'
) -%}
    select
        issue_id,
        cast({{ position }} as int) as position,
        '{{ kind }}' as kind,
        cast({{ subject }} as {{ dbt.type_string() }}) as subject,
        cast({{ subject_title }} as {{ dbt.type_string() }}) as subject_title,
        {{ stance | trim }} as stance,
        {% if measure %}'{{ measure }}'{% else %}measure_name{% endif %} as measure,
        cast({{ value }} as double) as value,
        cast({{ baseline }} as double) as baseline,
        cast({{ share }} as double) as share,
        cast({{ counted }} as double) as counted,
        cast({{ total }} as double) as total,
        cast({{ happened_at }} as timestamp) as happened_at
{%- endmacro %}

{# The row in words, for readers of the mart only: nothing parses it; tickets are worded from the columns. #}
{% macro evidence_sentence() -%}
    case measure
        when 'complaints' then {{ whole('counted') }} || ' complaints' || coalesce(
            ', at the peak ' || {{ decimals('value', 1) }} || ' times the expected', ''
        )
        when 'platform_share' then {{ share_sentence('platform') }}
        when 'country_share' then {{ share_sentence('country') }}
        when 'app_version_share' then {{ share_sentence('version') }}
        when 'feature_share' then {{ share_sentence('feature') }}
        when 'error_rate'
            then 'Error rate ' || {{ decimals('value * 100.0', 2) }} || ' %, '
            || {{ decimals('baseline * 100.0', 2) }} || ' % before'
        when 'latency_p95_ms'
            then 'Latency (95th percentile) ' || {{ whole('value') }} || ' ms, ' || {{ whole('baseline') }} || ' ms before'
        when 'conversion'
            then 'Conversion of this step ' || {{ decimals('value * 100.0', 1) }} || ' %, '
            || {{ decimals('baseline * 100.0', 1) }} || ' % before'
        when 'support_rate'
            then {{ whole('counted') }} || ' of ' || {{ whole('total') }} || ' complaints are tickets and chats, '
            || {{ decimals('value', 1) }} || ' times the usual rate'
        when 'support_beside'
            then {{ whole('counted') }} || ' tickets and chats about other things, ' || {{ whole('total') }}
            || ' would be usual'
        when 'new_accounts'
            then {{ whole('counted') }} || ' of ' || {{ whole('total') }}
            || ' people are accounts first seen on the day on which they complained'
        when 'unknown_people'
            then {{ whole('counted') }} || ' of ' || {{ whole('total') }} || ' people are not established customers'
        when 'hours_to_onset'
            then subject_title || ' went out ' || {{ minute_of('happened_at') }} || ', '
            || {{ decimals('abs(value)', 1) }} || ' hours '
            || case when value < 0.0 then 'after' else 'before' end || ' the first complaint'
        when 'complaints_before_change'
            then {{ whole('counted') }} || ' of ' || {{ whole('total') }} || ' complaints are older than ' || subject_title
        when 'version_named'
            then {{ whole('counted') }} || ' of ' || {{ whole('total') }} || ' complaints with a version name '
            || subject_title
        when 'other_version_named'
            then {{ whole('counted') }} || ' of ' || {{ whole('total') }} || ' complaints with a version name another version than '
            || subject_title
        when 'complaint_rate'
            then {{ decimals('value * 100.0', 1) }} || ' % of what is said on ' || subject_title || ' is this complaint, '
            || {{ decimals('baseline * 100.0', 1) }} || ' % on other versions'
            || case when share >= 0.5 then ', most of it from before it went out' else '' end
        when 'error_rise_elsewhere'
            then 'Errors also rose where ' || subject_title || ' is not, ' || {{ decimals('value', 1) }} || ' times'
        when 'shift_of_errors'
            then 'Errors of what ' || subject_title || ' changed rose ' || {{ decimals('value', 1) }} || ' times from '
            || {{ minute_of('happened_at') }} || ' on, right after it'
        when 'shift_of_latency'
            then 'What ' || subject_title || ' changed became ' || {{ decimals('value', 1) }} || ' times as slow from '
            || {{ minute_of('happened_at') }} || ' on, right after it'
        when 'shift_of_completions'
            then 'Completions of the step that ' || subject_title || ' serves fell ' || {{ decimals('value', 1) }}
            || ' times below the usual from ' || {{ minute_of('happened_at') }} || ' on, right after it'
        when 'shift_elsewhen'
            then 'What moved began to move ' || {{ minute_of('happened_at') }} || ', not with ' || subject_title
        when 'unmoved' then 'Errors where ' || subject_title || ' is stayed as they were'
        when 'recovered' then 'What moved right after ' || subject_title || ' came back by itself'
        when 'other_service' then subject_title || ' changed a service that this type of issue does not touch'
        when 'words_alone'
            then {{ whole('counted') }} || ' of ' || {{ whole('total') }}
            || ' complaints of customers on record name ' || subject_title || '; ' || {{ chance_sentence() }}
        when 'requests_alone'
            then {{ whole('counted') }} || ' requests succeeded on ' || subject_title || ' where the traffic leads to expect '
            || {{ whole('total') }} || '; ' || {{ chance_sentence() }}
        when 'completions_alone'
            then {{ whole('counted') }} || ' completed the step where other platforms and the days before lead to expect '
            || {{ whole('total') }} || '; ' || {{ chance_sentence() }}
        when 'persons_to_forge'
            then 'Cost of forging the words of customers: ' || {{ whole('counted') }} || ' accounts on record'
        when 'strangers_to_forge'
            then 'Cost of forging the name of the version: ' || {{ whole('counted') }} || ' strangers'
        when 'requests_to_forge'
            then 'Cost of forging the failing requests: ' || {{ whole('counted') }} || ' requests, bad and good'
        when 'completions_to_forge'
            then 'Cost of forging the fall of conversion: ' || {{ whole('counted') }} || ' completions on other platforms'
        when 'shared_rise' then 'Complaints also rose on platforms that ' || subject_title || ' did not go to'
        when 'other_scope' then 'The issue sits where ' || subject_title || ' did not go'
        else subject_title || ' seen with ' || {{ decimals('value', 2) }} || ' of 1'
    end || '.'
{%- endmacro %}

{% macro share_sentence(dimension) -%}
    {{ whole('value * 100.0') }} || ' % of the complaints that name a {{ dimension }} name ' || subject_title || ', '
    || {{ whole('baseline * 100.0') }} || ' % of other feedback'
{%- endmacro %}

{# Strength of one signal on its own; what is no rarer than the setting is not strong. #}
{% macro chance_sentence() -%}
    case
        when value >= 1.0 then 'chance explains that'
        when value < 0.0001 then 'chance alone does that in under 0.01 % of innocent releases'
        else 'chance alone does that in at most ' || {{ decimals('value * 100.0', 2) }} || ' % of innocent releases'
    end
    || case when stance = 'for' then '' else ', so it is not strong on its own' end
{%- endmacro %}

{# Rows of evidence (int_issue_evidence_items), and the sentence that a reader of the mart finds beside the numbers. #}

{# One row of evidence: everything that is not given is null. Without a measure, the kind of the change is it. #}
{% macro evidence_item(
    position, kind, measure, stance,
    subject='null', value='null', baseline='null', share='null', counted='null', total='null', happened_at='null'
) -%}
    select
        issue_id,
        cast({{ position }} as int) as position,
        '{{ kind }}' as kind,
        cast({{ subject }} as {{ dbt.type_string() }}) as subject,
        {{ stance | trim }} as stance,
        {% if measure %} '{{ measure }}' {% else %} change_kind {% endif %} as measure,
        cast({{ value }} as double) as value,
        cast({{ baseline }} as double) as baseline,
        cast({{ share }} as double) as share,
        cast({{ counted }} as double) as counted,
        cast({{ total }} as double) as total,
        cast({{ happened_at }} as timestamp) as happened_at
{%- endmacro %}

{# For readers only: nothing parses it, and a ticket is worded from the columns. #}
{% macro evidence_sentence() -%}
    case measure
        when 'complaints' then {{ whole('counted') }} || ' complaints' || coalesce(
            ', at the peak ' || {{ decimals('value', 1) }} || ' times the expected', ''
        )
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
        when 'hours_to_onset'
            then subject || ' went out ' || {{ minute_of('happened_at') }} || ', '
            || {{ decimals('abs(value)', 1) }} || ' hours '
            || case when value < 0.0 then 'after' else 'before' end || ' the first complaint'
        when 'complaints_before_change'
            then {{ whole('counted') }} || ' of ' || {{ whole('total') }} || ' complaints are older than ' || subject
        when 'version_named'
            then {{ whole('counted') }} || ' of ' || {{ whole('total') }} || ' complaints with a version name that of '
            || subject
        when 'other_version_named'
            then {{ whole('counted') }} || ' of ' || {{ whole('total') }} || ' complaints with a version name another than '
            || subject
        when 'complaint_rate'
            then {{ decimals('value * 100.0', 1) }} || ' % of what is said on ' || subject || ' is this complaint, '
            || {{ decimals('baseline * 100.0', 1) }} || ' % on other versions'
        when 'error_rise_elsewhere'
            then 'Errors also rose where ' || subject || ' is not, ' || {{ decimals('value', 1) }} || ' times'
        when 'shared_rise' then 'Complaints also rose on platforms that ' || subject || ' did not go to'
        when 'other_scope' then 'The issue sits where ' || subject || ' did not go'
        else subject || ' seen with ' || {{ decimals('value', 2) }} || ' of 1'
    end || '.'
{%- endmacro %}

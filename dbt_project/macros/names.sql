{# Names for people, each in one place. #}

{# A platform as its maker spells it; one that is not known here stays as it came. #}
{% macro platform_title(platform) -%}
    case lower({{ platform }})
        when 'android' then 'Android'
        when 'ios' then 'iOS'
        when 'ipados' then 'iPadOS'
        when 'macos' then 'macOS'
        when 'windows' then 'Windows'
        when 'linux' then 'Linux'
        when 'web' then 'web'
        else {{ platform }}
    end
{%- endmacro %}

{# One plain sentence about an issue, for readers of the mart. Nothing is decided by it, and nothing reads it back. #}
{% macro issue_sentence() -%}
    issue_title
    || coalesce(' on ' || {{ platform_title('scope_platform') }}, '')
    || case
        when scope_platform is null then coalesce(' in version ' || coalesce(scope_version, suspect_version), '')
        else coalesce(' ' || coalesce(scope_version, suspect_version), '')
    end
    || coalesce(' in ' || scope_country, '')
    || coalesce(' around ' || scope_feature, '')
    || ': ' || {{ as_text('feedback_count') }}
    || case when feedback_count = 1 then ' complaint since ' else ' complaints since ' end
    || {{ minute_of('started_at') }} || ' UTC, ' || priority || '; '
    || case
        when verdict = 'regression' and candidate_kind = 'flag' then 'suspect: flag change ' || suspect_release_id
        when verdict = 'regression' then 'suspect: release ' || suspect_release_id
        when verdict = 'inconclusive' then 'a release may be involved'
        when verdict = 'no_regression' then 'no release explains it'
        else 'too little data to name a cause'
    end
    || '.'
{%- endmacro %}

{# The id of one change of a feature flag: a flag switched several times within one minute is one change. #}
{% macro flag_change_id(flag_key, changed_at) -%}
    {{ flag_key }} || '@' || {{ minute_of(changed_at) }}
{%- endmacro %}

{# True for the environments that customers see, whatever a tool calls them. #}
{% macro is_production(environment) -%} lower({{ environment }}) in ('production', 'prod', 'live') {%- endmacro %}

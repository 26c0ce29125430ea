{# Identity of the person behind a piece of feedback (int_feedback_people). #}

{# Names of attributes (columns of a source that the contract does not know) that identify a person, by kind. #}
{% macro person_attributes(kind) -%}
    {{ return({
        'account': ['account_id', 'accountId', 'user_id', 'userId', 'member_id', 'requester_id'],
        'mail': ['email', 'e_mail', 'customer_email', 'email_address', 'Email'],
        'household': ['household_id', 'householdId', 'household'],
        'device': ['device_id', 'deviceId', 'installation_id', 'install_id', 'advertising_id'],
        'author': ['author', 'author_name', 'authorName', 'reviewer', 'reviewer_name', 'user_name', 'userName', 'username',
                   'nickname', 'handle'],
    }[kind]) }}
{%- endmacro %}

{# Text of the first of these attributes that has one. #}
{% macro attribute_of(names) -%}
    coalesce(
        {%- for name in names %}
        nullif(trim({{ json_text('attributes', '$.' ~ name) }}), ''){{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{# A name that tells one person from another; null for a placeholder that many share ("A Google user", "guest", "0"). #}
{% macro told_apart(name) -%}
    case
        when lower(trim({{ name }})) not in (
            '', '-', '.', '?', '0', '-1', 'none', 'null', 'nil', 'nan', 'na', 'n/a', 'unknown', 'undefined', 'anonymous',
            'anonymous user', 'anonym', 'anonyme', 'anonimo', 'anónimo', 'guest', 'gast', 'invité', 'user', 'customer',
            'kunde', 'client', 'deleted', '[deleted]', 'deleted user', 'a google user', 'google user', 'ein google-nutzer',
            'un utilisateur google', 'app store user', 'test', 'admin', 'system', 'default',
            '00000000-0000-0000-0000-000000000000'
        )
            then trim({{ name }})
    end
{%- endmacro %}

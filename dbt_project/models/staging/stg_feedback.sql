-- Current version of each piece of feedback at the as-of instant. A corrected review has the new text, and the instant
-- at which its first version became known. Raw words (title, text, url, attributes) stay in the lake: labels have the
-- masked text.
with source as (

    select * from {{ source('lake', 'feedback') }}
    where cast(known_at as timestamp) <= {{ as_of() }}

),

versions as (

    select
        *,
        row_number() over (partition by feedback_id order by known_at desc, content_hash asc) as version_rank,
        min(known_at) over (partition by feedback_id) as first_known_at
    from source

),

-- Who wrote it, without placeholders that many share.
named as (

    select
        *,
        {{ told_apart('customer_id') }} as customer_named,
        {{ told_apart(attribute_of(person_attributes('account'))) }} as account_named,
        {{ told_apart(attribute_of(person_attributes('mail'))) }} as mail_named,
        {{ told_apart(attribute_of(person_attributes('household'))) }} as household_named,
        {{ told_apart(attribute_of(person_attributes('device'))) }} as device_named,
        {{ told_apart(attribute_of(person_attributes('author'))) }} as author_named
    from versions
    where version_rank = 1

),

renamed as (

    select
        ---------- ids
        feedback_id,
        {{ pseudonym('customer_named') }} as customer_id,
        order_id,
        release_id,
        coalesce({{ pseudonym('account_named') }}, {{ pseudonym('mail_named') }}) as account_id,
        {{ person_hash('household_named') }} as household_id,
        {{ person_hash('device_named') }} as device_id,
        {{ person_hash('author_named') }} as author,

        ---------- text
        source,
        channel,
        product,
        language,
        country,
        customer_segment,
        sku,
        feature,
        platform,
        app_version,
        os_version,
        device,
        browser,

        ---------- numerics
        rating,
        nps_score,

        ---------- timestamps
        cast(occurred_at as timestamp) as occurred_at,
        cast(first_known_at as timestamp) as known_at
    from named

)

select * from renamed

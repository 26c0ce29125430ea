-- Current version of each piece of feedback at the as-of instant. A corrected review has the new text, and the instant
-- at which its first version became known.
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

renamed as (

    select
        ---------- ids
        feedback_id,
        customer_id,
        order_id,
        release_id,
        -- Of an e-mail address only a hash.
        coalesce(
            {{ attribute_of(person_attributes('account')) }}, md5(lower({{ attribute_of(person_attributes('mail')) }}))
        ) as account_id,
        {{ attribute_of(person_attributes('household')) }} as household_id,
        {{ attribute_of(person_attributes('device')) }} as device_id,
        {{ attribute_of(person_attributes('author')) }} as author,

        ---------- text
        source,
        channel,
        product,
        title,
        text,
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
        url,
        attributes,

        ---------- numerics
        rating,
        nps_score,

        ---------- timestamps
        cast(occurred_at as timestamp) as occurred_at,
        cast(first_known_at as timestamp) as known_at
    from versions
    where version_rank = 1

)

select * from renamed

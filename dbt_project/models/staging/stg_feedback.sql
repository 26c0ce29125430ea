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

renamed as (

    select
        ---------- ids
        feedback_id,
        {{ pseudonym('customer_id') }} as customer_id,
        order_id,
        release_id,

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
    from versions
    where version_rank = 1

)

select * from renamed

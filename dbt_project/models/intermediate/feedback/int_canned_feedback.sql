{{ config(materialized='incremental', meta={'rebuilt_by': 'counted_at'}, pre_hook="{{ forget_since('counted_at') }}") }}

-- Feedback in a canned sentence (an option of a form or survey, a return reason, a macro), on channels that give their
-- own ids: it matches a pattern of the seed canned_sentences, or on the days before, within 28, several known people
-- said the same on the same channel.
with pieces as (

    select
        feedback_id,
        product,
        channel,
        text_key,
        person_key,
        is_known_person,
        masked_text,
        counted_at,
        date_trunc('day', counted_at) as day
    from {{ ref('int_feedback_people') }}
    where
        not is_spam
        and gives_own_ids
        and counted_at > {{ rebuild_from() }} - {{ days(var('evidence_days')) }}

),

said as (

    select distinct
        product,
        channel,
        text_key,
        person_key,
        day
    from pieces
    where is_known_person

),

text_days as (

    select distinct
        product,
        channel,
        text_key,
        day
    from pieces
    where counted_at > {{ rebuild_from() }}

),

detected as (

    select
        text_days.product,
        text_days.channel,
        text_days.text_key,
        text_days.day
    from text_days
    inner join said
        on
            text_days.product = said.product
            and text_days.channel = said.channel
            and text_days.text_key = said.text_key
            and text_days.day > said.day
            and text_days.day - {{ days(var('evidence_days')) }} < said.day
    cross join {{ ref('stg_playbook_settings') }} as settings
    group by text_days.product, text_days.channel, text_days.text_key, text_days.day
    having
        count(distinct said.person_key) >= max(settings.canned_people)
        and count(distinct said.day) >= max(settings.canned_days)

),

listed as (

    select distinct pieces.feedback_id
    from pieces
    inner join {{ ref('canned_sentences') }} as canned
        on
            canned.channel in (pieces.channel, '*')
            and lower(pieces.masked_text) like canned.pattern
    where pieces.counted_at > {{ rebuild_from() }}

)

select
    pieces.feedback_id,
    pieces.counted_at
from pieces
left join listed on pieces.feedback_id = listed.feedback_id
left join detected
    on
        pieces.product = detected.product
        and pieces.channel = detected.channel
        and pieces.text_key = detected.text_key
        and pieces.day = detected.day
where
    pieces.counted_at > {{ rebuild_from() }}
    and (listed.feedback_id is not null or detected.text_key is not null)

-- Events of tickets in their trackers: writes that the ledger confirmed, and changes by others.
with source as (

    select * from {{ source('lake', 'ticket_events') }}
    where cast(known_at as timestamp) <= {{ as_of() }}

),

versions as (

    select
        *,
        row_number() over (
            partition by event_id
            order by known_at desc, occurred_at desc, event asc, external_id asc, url asc
        ) as version_rank
    from source

),

renamed as (

    select
        event_id,
        issue_id,
        destination,
        external_id,
        url,
        event,
        priority,
        value,
        previous,
        resolution,
        actor,
        coalesce(by_person, false) as by_person,
        cast(occurred_at as timestamp) as occurred_at,
        cast(known_at as timestamp) as known_at
    from versions
    where version_rank = 1

)

select * from renamed

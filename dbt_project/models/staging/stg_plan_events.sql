-- What became of each plan of a mitigation, as the ledger recorded it.
with source as (

    select * from {{ source('lake', 'plan_events') }}
    where cast(known_at as timestamp) <= {{ as_of() }}

),

versions as (

    select
        *,
        row_number() over (partition by event_id order by known_at desc, occurred_at desc, event asc) as version_rank
    from source

),

renamed as (

    select
        event_id,
        plan_id,
        issue_id,
        mitigation,
        target,
        item,
        mode,
        event,
        state,
        actor,
        channel,
        reason,
        cast(tier as bigint) as tier,
        cast(occurred_at as timestamp) as occurred_at,
        cast(known_at as timestamp) as known_at
    from versions
    where version_rank = 1

)

select * from renamed

with writes as (

    select
        destination,
        cast(cast(occurred_at as date) as timestamp) as day,
        cast(count(*) as bigint) as writes,
        cast(sum(case when outcome = 'confirmed' then 1 else 0 end) as bigint) as confirmed,
        cast(sum(case when outcome = 'rejected' then 1 else 0 end) as bigint) as rejected,
        cast(sum(case when outcome = 'unknown' then 1 else 0 end) as bigint) as unknown,
        cast(sum(case when outcome in ('not sent', 'deferred') then 1 else 0 end) as bigint) as not_there
    from {{ ref('stg_sync_attempts') }}
    where kind <> 'look_up'
    group by destination, cast(cast(occurred_at as date) as timestamp)

),

pushes as (

    select
        destination,
        cast(cast(started_at as date) as timestamp) as day,
        cast(count(*) as bigint) as runs,
        cast(sum(twins) as bigint) as twins
    from {{ ref('stg_sync_runs') }}
    group by destination, cast(cast(started_at as date) as timestamp)

)

select
    writes.destination,
    writes.day,
    coalesce(pushes.runs, 0) as runs,
    writes.writes,
    writes.confirmed,
    writes.rejected,
    writes.unknown,
    writes.not_there,
    coalesce(pushes.twins, 0) as twins,
    cast(writes.confirmed as double) / writes.writes as success_rate
from writes
left join pushes on writes.destination = pushes.destination and writes.day = pushes.day

-- Services that an issue type touches, by the patterns of the seed service_map, among those that telemetry names. A
-- type that touches every service ('%') says nothing of one of them: is_specific is false.
with services as (

    select distinct lower(service) as service
    from {{ ref('stg_service_metrics') }}

)

select
    service_map.issue_type,
    services.service,
    max(case when service_map.service_pattern <> '%' then 1 else 0 end) = 1 as is_specific
from services
inner join {{ ref('service_map') }} as service_map on services.service like service_map.service_pattern
group by service_map.issue_type, services.service

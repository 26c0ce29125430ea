-- Changes in production: releases, and changes of feature flags; one list for all that look for a cause. A flag
-- switched several times within one minute is one change.
select
    release_id as change_id,
    'release' as change_kind,
    product,
    version,
    platform,
    service,
    cast(null as {{ dbt.type_string() }}) as feature,
    lower(service) as names,
    deployed_at as changed_at
from {{ ref('stg_releases') }}
where {{ is_production('environment') }}

union all

select
    {{ flag_change_id('flag_key', 'changed_at') }} as change_id,
    'flag' as change_kind,
    product,
    cast(null as {{ dbt.type_string() }}) as version,
    cast(null as {{ dbt.type_string() }}) as platform,
    cast(null as {{ dbt.type_string() }}) as service,
    min(feature) as feature,
    min(lower(flag_key || ' ' || coalesce(feature, ''))) as names,
    min(changed_at) as changed_at
from {{ ref('stg_flag_changes') }}
where {{ is_production('environment') }}
group by product, {{ flag_change_id('flag_key', 'changed_at') }}

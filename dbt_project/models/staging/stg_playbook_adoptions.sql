-- Days on which products adopted the loop, by playbook.yml.
with source as (

    select * from {{ source('lake', 'playbook_adoptions') }}

)

select
    product,
    cast(adopted_at as timestamp) as adopted_at
from source

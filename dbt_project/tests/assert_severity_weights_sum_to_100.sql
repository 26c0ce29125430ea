-- Severity is 0-100 by construction only while the weights sum to 100.
select sum(weight) as total
from {{ ref('severity_weights') }}
having sum(weight) <> 100

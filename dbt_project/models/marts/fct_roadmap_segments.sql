select
    product,
    issue_type,
    feature,
    segment,
    cast(count(*) as bigint) as customers
from (
    select
        product,
        issue_type,
        feature,
        segment,
        row_number() over (
            partition by product, issue_type, feature, person_key
            order by counted_at desc, segment asc
        ) as nth
    from {{ ref('int_roadmap_feedback') }}
    where is_now
) as latest
where nth = 1
group by product, issue_type, feature, segment

{{ config(materialized='incremental', meta={'rebuilt_by': 'counted_at'}, pre_hook="{{ forget_since('counted_at') }}") }}

-- Person behind each piece of feedback, and the provenance of that identity, as known when the feedback was counted.
with feedback as (

    select
        *,
        case when gives_own_ids then {{ told_apart('order_id') }} end as person_order,
        coalesce(customer_id, account_id) as given_customer
    from {{ ref('int_labelled_feedback') }}
    where counted_at > {{ rebuild_from() }} - {{ days(var('evidence_days')) }}

),

-- A return or a ticket that names an order but no customer is that of the customer who ordered; a guest is known by the
-- order.
identified as (

    select
        feedback.*,
        coalesce(
            feedback.given_customer, case when feedback.gives_own_ids then orders.customer_id end
        ) as person_customer,
        case when feedback.person_order is not null then orders.known_at end as ordered_at
    from feedback
    left join {{ ref('int_purchases') }} as orders
        on feedback.order_id = orders.order_id and feedback.counted_at >= orders.known_at

),

buyers as (

    select
        customer_id,
        min(known_at) as known_at
    from {{ ref('int_purchases') }}
    group by customer_id

),

accounts as (

    select
        customer_id,
        min(known_at) as known_at
    from {{ ref('stg_customers') }}
    group by customer_id

),

traced as (

    select
        identified.*,
        least(buyers.known_at, accounts.known_at, identified.ordered_at) as on_record_since,
        case
            when buyers.known_at is not null or identified.ordered_at is not null then 'verified_purchase'
            when identified.person_customer is not null and (identified.gives_own_ids or accounts.known_at is not null)
                then 'known_account'
            when identified.person_order is not null then 'known_account'
            when
                coalesce(
                    identified.person_customer,
                    identified.household_id,
                    identified.device_id,
                    identified.person_order,
                    identified.author
                ) is not null
                then 'open_web'
            else 'unknown'
        end as provenance
    from identified
    left join buyers
        on identified.person_customer = buyers.customer_id and identified.counted_at >= buyers.known_at
    left join accounts
        on identified.person_customer = accounts.customer_id and identified.counted_at >= accounts.known_at

),

keyed as (

    select
        *,
        case
            when person_customer is not null then 'customer:' || person_customer
            when household_id is not null then 'household:' || household_id
            when device_id is not null then 'device:' || device_id
            when person_order is not null then 'order:' || person_order
            when author is not null then 'author:' || source || ':' || author
            else 'unknown:' || feedback_id
        end as person_key
    from traced

),

-- Since when the person is known: on record, or by earlier feedback of the 28 days before.
met as (

    select
        *,
        least(
            coalesce(on_record_since, counted_at),
            min(counted_at) over (
                partition by person_key
                order by counted_at
                range between {{ days(var('evidence_days')) }} preceding and current row
            )
        ) as first_seen_at
    from keyed

)

select
    feedback_id,
    product,
    channel,
    issue_type,
    person_customer as customer_id,
    person_key,
    provenance,
    provenance in ('verified_purchase', 'known_account') as is_known_person,
    provenance <> 'unknown' and first_seen_at > counted_at - {{ days(1) }} as is_new_account,
    gives_own_ids,
    is_spam,
    duplicate_of,
    masked_text,
    md5(trim(masked_text)) as text_key,
    counted_at
from met
where counted_at > {{ rebuild_from() }}

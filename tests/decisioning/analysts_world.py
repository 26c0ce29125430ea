"""A shop whose course is known to the minute: what the thirteen questions of docs/analysts.md are asked of.

Seven weeks with traffic, orders and customers. A delivery problem in March that comes back in April, with five refunds
a day instead of one; and Android 2.0, which breaks the checkout of every second customer until 2.0.1. Reviews of it
become known eight hours after they were written, so that it could have been known of earlier. People touch its ticket,
approve a fallback that does nothing, and close it as done; the ticket of March they reject.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dagster_project.home import Home
from tests.decisioning.lake_builder import LakeBuilder, hours

START = datetime(2026, 3, 1, tzinfo=UTC)
RELEASED = START + timedelta(days=40, hours=9)
FIXED = RELEASED + timedelta(hours=40)
UNTIL = START + timedelta(days=46)
LATE = timedelta(hours=8)
STRIKES = (START + timedelta(days=16), START + timedelta(days=34))
PLATFORMS = {"android": 500, "ios": 300, "web": 200}
AMOUNT = 40.0
FIRST = RELEASED + timedelta(minutes=20)


def world(home: Home) -> LakeBuilder:
    """The lake of that shop, to be written."""
    lake = LakeBuilder(home)
    for number in range(1, 200):
        lake.add("customers", customer_id=f"c{number}", segment="standard", lifetime_value=100.0, known_at=START)
    for version, platform, at in (
        ("1.9", "android", START),
        ("2.0", "android", RELEASED),
        ("2.0.1", "android", FIXED),
        ("7.1", "ios", RELEASED - timedelta(days=4)),
    ):
        lake.add(
            "releases",
            release_id=f"shop-{platform}@{version}",
            product="shop",
            version=version,
            platform=platform,
            environment="production",
            deployed_at=at,
            known_at=at,
            content_hash="1",
        )
    for number, at in enumerate(hours(START, UNTIL, 1.0)):
        _an_hour(lake, number, at)
    for number, at in enumerate(hours(FIRST, FIXED, 0.5)):
        own = {"platform": "android", "app_version": "2.0", "country": "DE", "customer_id": f"c{number + 1}"}
        lake.complain("checkout_failure", at, known_at=at + LATE, product="shop", **own)
    for strike in STRIKES:
        for number, at in enumerate(hours(strike, strike + timedelta(hours=30), 0.5)):
            own = {"channel": "support_ticket", "country": "FR", "platform": "web", "customer_id": f"c{number + 100}"}
            lake.complain("shipping_delivery", at, product="shop", **own)
    for day in range(5, 46):
        _refunds(lake, START + timedelta(days=day), 5 if 34 <= day < 37 else 1)
    return lake


def acts(home: Home, checkout: str, strike: str, detected_at: datetime) -> LakeBuilder:
    """What was done about the issues, to be written once they have an id: clocks, a wrong act, verdicts."""
    lake = LakeBuilder(home)

    def ticket(issue_id: str, event: str, minutes: int, **values: object) -> None:
        at = detected_at + timedelta(minutes=minutes)
        own = {"event_id": f"{issue_id} {event} {minutes}", "destination": "local", "by_person": event != "created"}
        lake.add("ticket_events", issue_id=issue_id, event=event, occurred_at=at, known_at=at, **own, **values)

    def plan(event: str, state: str, minutes: int) -> None:
        at = detected_at + timedelta(minutes=minutes)
        own = {"plan_id": "p1", "mitigation": "fall_back", "target": "control", "item": "services/checkout", "tier": 2}
        happened = {"event": event, "state": state, "occurred_at": at, "known_at": at}
        lake.add("plan_events", event_id=f"p1 {event}", issue_id=checkout, mode="approve", **own, **happened)

    ticket(checkout, "created", 5)
    ticket(checkout, "assignee", 35, value="kim", actor="jo")
    plan("proposed", "proposed", 10)
    plan("approved", "approved", 60)
    plan("applied", "in_force", 65)
    plan("ineffective", "in_force", 185)
    plan("undone", "undone", 200)
    ticket(checkout, "status", 36 * 60, value="done", resolution="resolved", actor="jo")
    ticket(strike, "created", 15)
    ticket(strike, "status", 90, value="not a bug", resolution="rejected", actor="jo")
    return lake


def _refunds(lake: LakeBuilder, day: datetime, number: int) -> None:
    """So many orders of the day before are paid back in the morning."""
    at = day + timedelta(hours=10)
    ordered = [row for row in lake.rows["orders"] if row["ordered_at"] == day - timedelta(hours=15)]
    ordered += [row for row in lake.rows["orders"] if row["ordered_at"] == day - timedelta(hours=12)]
    for row in ordered[:number]:
        paid_back = {"refunded_at": at, "refund_amount": AMOUNT, "known_at": at, "content_hash": "2"}
        lake.add("orders", **{**row, **paid_back})


def _an_hour(lake: LakeBuilder, number: int, at: datetime) -> None:
    """The ordinary life of an hour: praise, some complaints, visits, checkouts and orders."""
    lake.complain("praise", at, product="shop", platform="ios", country="FR", app_version="7.0")
    version = "1.9" if at < RELEASED else "2.0" if at < FIXED else "2.0.1"
    lake.complain("praise", at, product="shop", platform="android", country="DE", app_version=version)
    if number % 24 == 5:
        old = {"platform": "android", "country": "DE", "app_version": "1.9"}
        lake.complain("checkout_failure", at, product="shop", **old)
        lake.complain("shipping_delivery", at, product="shop", platform="web", country="FR")
    for platform, visits in PLATFORMS.items():
        broken = platform == "android" and RELEASED <= at < FIXED
        bucket = {"product": "shop", "platform": platform, "bucket_start": at, "content_hash": "1"}
        known = {"known_at": at + timedelta(minutes=70)}
        failed = 300 if broken else 5
        lake.add("service_metrics", service="checkout", requests=1000, errors=failed, **bucket, **known)
        lake.add("funnel_metrics", step="visit", entered=visits, completed=visits // 2, **bucket, **known)
        done = 40 if broken else 80
        lake.add(
            "funnel_metrics", step="checkout", entered=100, completed=done, revenue=done * AMOUNT, **bucket, **known
        )
        order = {"order_id": f"{platform}{number}", "customer_id": f"c{number % 150}", "sku": "s", "currency": "EUR"}
        payment = {"amount": AMOUNT, "status": "paid", "known_at": at + timedelta(minutes=5), "content_hash": "1"}
        lake.add("orders", product="shop", ordered_at=at, **order, **payment)

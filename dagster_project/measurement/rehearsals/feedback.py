"""Who of the simulated shop's customers writes what, when and on which channel.

The background is what people always say: about seventy pieces a day, following traffic, each channel with its own mix of
issue types. On top of it come the complaints that the planted events cause. A channel tells only what it would really
know: a store review has a version but no customer, a ticket has a customer, a post on a social network has nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

import numpy as np

from dagster_project.measurement.rehearsals.story import COUNTRIES, PLATFORMS, Floats, Planted, Story
from dagster_project.measurement.rehearsals.texts import Situation, compose, person_of
from dagster_project.measurement.rehearsals.traffic import ITEMS, Traffic

PER_DAY = 68.0

# source: (channel, its share of the background, minutes until the row is known: earliest and latest)
SOURCES: dict[str, tuple[str, float, int, int]] = {
    "google_play": ("app_review", 0.18, 20, 360),
    "app_store": ("app_review", 0.14, 180, 180),
    "zendesk": ("support_ticket", 0.20, 5, 5),
    "chat": ("chat", 0.14, 1, 6),
    "shop_reviews": ("product_review", 0.14, 20, 400),
    "survey": ("nps", 0.08, 30, 300),
    "social": ("social", 0.06, 3, 45),
    "returns": ("return", 0.06, 10, 90),
}

_BACKGROUND: dict[str, dict[str, float]] = {
    "app_review": dict(
        praise=42, performance=6, ui_usability=5, feature_request=6, feature_bug=6, login_account=4, app_crash=4,
        search_discovery=4, pricing_expectation=5, checkout_failure=3, payment_failure=2.5, shipping_delivery=4,
        customer_service=3, inventory_availability=2, other=4, security_privacy=1, billing_subscription=1.5,
        product_defect=1, returns_refunds=0.7,
    ),
    "product_review": dict(
        praise=52, product_defect=18, packaging=6, pricing_expectation=6, shipping_delivery=7, inventory_availability=2,
        returns_refunds=2, customer_service=2, other=4, feature_request=1,
    ),
    "support_ticket": dict(
        shipping_delivery=14, returns_refunds=14, login_account=11, product_defect=9, billing_subscription=8,
        payment_failure=7, feature_bug=6, other=6, checkout_failure=4, inventory_availability=4, customer_service=4,
        security_privacy=3, packaging=2, performance=2, pricing_expectation=2, feature_request=2, app_crash=1.5,
        praise=1, search_discovery=1, ui_usability=1,
    ),
    "chat": dict(
        shipping_delivery=14, other=14, returns_refunds=10, inventory_availability=9, login_account=9, payment_failure=6,
        billing_subscription=5, product_defect=5, checkout_failure=4, pricing_expectation=4, search_discovery=4,
        feature_bug=4, ui_usability=3, customer_service=3, praise=3, security_privacy=1, app_crash=1, performance=1,
    ),
    "nps": dict(
        praise=48, pricing_expectation=9, shipping_delivery=7, customer_service=6, ui_usability=5, feature_request=5,
        other=5, search_discovery=4, performance=4, product_defect=4, returns_refunds=3,
    ),
    "social": dict(
        praise=25, other=20, customer_service=12, shipping_delivery=10, pricing_expectation=10, inventory_availability=5,
        product_defect=5, feature_request=4, performance=3, checkout_failure=2, app_crash=2, security_privacy=2,
    ),
    "return": dict(product_defect=52, other=16, packaging=12, pricing_expectation=8, shipping_delivery=8, praise=4),
}  # fmt: skip

_SOURCES_OF_EVENT: dict[str, dict[str, float]] = {
    "android_checkout": {"google_play": 55, "zendesk": 20, "chat": 15, "social": 7, "survey": 3},
    "ios_crash": {"app_store": 68, "zendesk": 12, "social": 10, "chat": 6, "survey": 4},
    "carrier_strike": {
        "zendesk": 36, "chat": 25, "survey": 10, "shop_reviews": 10, "app_store": 9, "google_play": 5, "social": 5,
    },
    "payment_hiccup": {"zendesk": 40, "chat": 35, "google_play": 10, "app_store": 10, "social": 5},
}  # fmt: skip

_RATINGS: dict[str, tuple[int, ...]] = {
    "praise": (5, 5, 5, 4),
    "feature_request": (4, 4, 3, 5, 5),
    "other": (3, 3, 4, 3, 2),
    "bad": (1, 1, 1, 1, 2, 2, 3),
    "poor": (2, 2, 1, 3, 3, 2),
}
_NPS = {5: (9, 10, 10), 4: (8, 8, 9), 3: (6, 7, 7), 2: (3, 4, 5, 6), 1: (0, 0, 1, 2, 3)}
_POOR = frozenset("ui_usability search_discovery pricing_expectation packaging inventory_availability feature_bug".split())
_LANGUAGES: dict[str, dict[str, float]] = {
    "DE": {"en": 0.72, "de": 0.28},
    "FR": {"en": 0.72, "fr": 0.28},
    "US": {"en": 0.96, "es": 0.04},
    "GB": {"en": 1.0},
}
_DEVICES = {
    "android": ("Pixel 8", "Pixel 7a", "Galaxy S23", "Galaxy A54", "Xperia 5", "Moto G84", "Nord 3"),
    "ios": ("iPhone 13", "iPhone 14", "iPhone 15", "iPhone SE", "iPad Air"),
    "web": ("laptop", "desktop", "tablet"),
}
_SYSTEMS = {"android": ("Android 13", "Android 14", "Android 15"), "ios": ("iOS 17.6", "iOS 18.1"), "web": ("",)}
_BROWSERS = ("Chrome", "Safari", "Firefox", "Edge")
# How many days after the order people write about it.
_ORDER_AGE = {"shipping_delivery": (3, 9), "returns_refunds": (12, 30), "billing_subscription": (1, 20)}
_ABOUT_AN_ORDER = frozenset("shipping_delivery returns_refunds product_defect packaging billing_subscription".split())
_KNOWS_CUSTOMER = frozenset({"zendesk", "chat", "shop_reviews", "survey", "returns"})
_KNOWS_COUNTRY = _KNOWS_CUSTOMER | {"app_store"}
_KNOWS_LANGUAGE = frozenset({"google_play", "zendesk", "chat", "social"})
_KNOWS_DEVICE = frozenset({"google_play", "chat"})
_HAS_RATING = frozenset({"google_play", "app_store", "shop_reviews"})


@dataclass(frozen=True)
class Feedback:
    """One piece of feedback as its channel knows it, with the truth beside it."""

    feedback_id: str
    number: int
    source: str
    channel: str
    occurred_at: datetime
    known_at: datetime
    title: str
    text: str
    issue_type: str
    planted: str
    """Name of the event that caused it; empty for the background."""
    author: str = ""
    rating: int | None = None
    nps_score: int | None = None
    language: str | None = None
    country: str | None = None
    customer_id: str | None = None
    customer_segment: str | None = None
    sku: str | None = None
    platform: str | None = None
    app_version: str | None = None
    os_version: str | None = None
    device: str | None = None
    browser: str | None = None
    order_id: str | None = None


@dataclass(frozen=True)
class _Order:
    order_id: str
    sku: str
    platform: str
    customer: int


class _People:
    """Customers by home, and their recent orders, to draw writers from."""

    def __init__(self, traffic: Traffic, story: Story) -> None:
        self.story = story
        self.segments = traffic.customers["segment"].to_list()
        homes = traffic.customers.select("home_country", "home_platform").rows()
        joined = traffic.customers["known_at"].to_list()
        self.at_home: dict[tuple[str, str], list[int]] = {}
        for number, home in enumerate(homes):
            if joined[number] <= story.since:
                self.at_home.setdefault(home, []).append(number)
        self.order_times: dict[str, list[datetime]] = {country: [] for country in COUNTRIES}
        self.orders: dict[str, list[_Order]] = {country: [] for country in COUNTRIES}
        columns = ("country", "ordered_at", "order_id", "sku", "platform", "customer_id")
        for country, ordered_at, order_id, sku, platform, customer_id in traffic.orders.select(columns).iter_rows():
            self.order_times[country].append(ordered_at)
            self.orders[country].append(_Order(order_id, sku, platform, int(customer_id[1:])))

    def order(self, country: str, age: tuple[int, int], at: datetime, rng: Random) -> _Order | None:
        """Some order of that country placed so many days before; None in the first days of the story."""
        times = self.order_times[country]
        first = bisect_left(times, at - timedelta(days=age[1]))
        last = bisect_left(times, at - timedelta(days=age[0]))
        return self.orders[country][rng.randrange(first, last)] if first < last else None


def write_feedback(story: Story, traffic: Traffic, seed: int) -> list[Feedback]:
    """All feedback of a story that is known at its end, oldest first; same story and seed, same feedback."""
    rng, counts = Random(f"shop-{seed}-feedback"), np.random.default_rng([seed, 6])
    people = _People(traffic, story)
    found = []
    for hour, pieces in enumerate(counts.poisson(PER_DAY / 24 * story.total_demand)):
        for _ in range(pieces):
            source = _draw({name: share for name, (_, share, _, _) in SOURCES.items()}, rng)
            issue_type = _draw(_BACKGROUND[SOURCES[source][0]], rng)
            found.append(_piece(story, people, hour, source, issue_type, None, rng))
    for event in story.planted:
        if event.per_day and event.issue_type:
            for hour, pieces in enumerate(counts.poisson(_complaints(story, event))):
                for _ in range(pieces):
                    source = _draw(_SOURCES_OF_EVENT[event.name], rng)
                    found.append(_piece(story, people, hour, source, event.issue_type, event, rng))
    known = sorted((piece for piece in found if piece.known_at <= story.until), key=lambda p: (p.occurred_at, p.source, p.text))
    return [_numbered(piece, number) for number, piece in enumerate(known, start=1)]


def _complaints(story: Story, event: Planted) -> Floats:
    """Expected complaints that an event causes, by hour."""
    demand = story.demand[event.country] if event.country else story.total_demand
    return event.per_day / 24 * story.strength(event) * demand


def _piece(
    story: Story, people: _People, hour: int, source: str, issue_type: str, event: Planted | None, rng: Random
) -> Feedback:
    channel, _, earliest, latest = SOURCES[source]
    hour = _working_hour(story, hour) if source == "returns" else hour
    occurred_at = story.instant_of(hour + _moment(source, rng))
    if event and occurred_at < event.started_at:
        occurred_at = event.started_at + timedelta(seconds=rng.randrange(60, 1800))
    country = (event and event.country) or _draw({c: s * story.demand[c][hour] for c, s in COUNTRIES.items()}, rng)
    platform = _platform(source, event, rng)
    order = None
    if issue_type in _ABOUT_AN_ORDER or source in {"shop_reviews", "returns"}:
        order = people.order(country, _ORDER_AGE.get(issue_type, (2, 14)), occurred_at, rng)
    if order and platform is None:
        platform = order.platform
    platform = platform or _draw(PLATFORMS, rng)
    person = order.customer if order else rng.choice(people.at_home[country, platform])
    versions, shares = story.adoption[platform]
    version = (event and event.app_version) or _draw(dict(zip(versions, shares[hour].tolist(), strict=True)), rng)
    device = rng.choice(_DEVICES[platform])
    language = _draw(_LANGUAGES[country], rng)
    situation = Situation(
        issue_type=issue_type,
        channel=channel,
        language=language,
        country=country,
        person=person,
        item=ITEMS[order.sku] if order else rng.choice(list(ITEMS.values())),
        order_id=order.order_id if order else f"SO-{rng.randrange(100_000, 125_000)}",
        device=device,
        blamed_version=event.app_version if event else None,
    )
    title, text = compose(situation, rng)
    rating = rng.choice(_RATINGS[issue_type if issue_type in _RATINGS else "poor" if issue_type in _POOR else "bad"])
    complete = Feedback(
        feedback_id="",
        number=0,
        source=source,
        channel=channel,
        occurred_at=occurred_at,
        known_at=occurred_at + timedelta(minutes=rng.randint(earliest, latest)),
        title=title,
        text=text,
        issue_type=issue_type,
        planted=event.name if event else "",
        author=person_of(person, country)[0],
        rating=rating,
        nps_score=rng.choice(_NPS[rating]),
        language=language,
        country=country,
        customer_id=f"C{person:05d}",
        customer_segment=people.segments[person],
        sku=order.sku if order else None,
        platform=platform,
        app_version=version,
        os_version=rng.choice(_SYSTEMS[platform]) or None,
        device=device,
        browser=rng.choice(_BROWSERS) if platform == "web" else None,
        order_id=order.order_id if order else None,
    )
    return _as_channel_knows(complete, rng)


def _as_channel_knows(piece: Feedback, rng: Random) -> Feedback:
    """Forget what the channel cannot know."""
    source = piece.source
    keeps_app = source in {"google_play", "app_store", "chat"} or (source == "zendesk" and rng.random() < 0.75)
    keeps_order = source == "returns" or (source == "zendesk" and rng.random() < 0.7) or source == "chat"
    return replace(
        piece,
        rating=piece.rating if source in _HAS_RATING else None,
        nps_score=piece.nps_score if source == "survey" else None,
        language=piece.language if source in _KNOWS_LANGUAGE else None,
        country=piece.country if source in _KNOWS_COUNTRY else None,
        customer_id=piece.customer_id if source in _KNOWS_CUSTOMER else None,
        customer_segment=piece.customer_segment if source in {"zendesk", "chat", "survey"} else None,
        sku=piece.sku if source in {"shop_reviews", "returns"} else None,
        platform=piece.platform if keeps_app or source == "survey" else None,
        app_version=piece.app_version if keeps_app and (source != "google_play" or rng.random() < 0.92) else None,
        os_version=piece.os_version if source == "chat" else None,
        device=piece.device if source in _KNOWS_DEVICE else None,
        browser=piece.browser if source == "chat" else None,
        order_id=piece.order_id if keeps_order else None,
    )


def _numbered(piece: Feedback, number: int) -> Feedback:
    """The id under which the source's reader lands it."""
    ids: dict[str, Callable[[int], tuple[int, str]]] = {
        "google_play": lambda n: (n, f"gp-{_token(n)}"),
        "app_store": lambda n: (11_000_000_000 + n * 37, f"as-{11_000_000_000 + n * 37}"),
        "zendesk": lambda n: (40_000 + n, f"zd-{40_000 + n}"),
    }
    own, feedback_id = ids.get(piece.source, lambda n: (n, f"{piece.source}-{n:06d}"))(number)
    return replace(piece, number=own, feedback_id=feedback_id)


def _token(number: int) -> str:
    """A review id of a store: looks random, is not."""
    return f"{(number * 2_654_435_761) % 2**32:08x}-{(number * 40_503) % 2**16:04x}"


def _moment(source: str, rng: Random) -> float:
    """Where in its hour something is written; the warehouse notes whole minutes."""
    return rng.randrange(60) / 60 if source == "returns" else rng.random()


def _working_hour(story: Story, hour: int) -> int:
    """The warehouse opens parcels by day."""
    hour_of_day = (hour + story.since.hour) % 24
    return min(max(hour - hour_of_day + 8 + hour_of_day % 10, 0), story.hours - 1)


def _platform(source: str, event: Planted | None, rng: Random) -> str | None:
    if source == "google_play":
        return "android"
    if source == "app_store":
        return "ios"
    if event and event.platform:
        return event.platform
    return None if rng.random() < 0.5 else _draw(PLATFORMS, rng)


def _draw(weights: Mapping[str, float], rng: Random) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]

"""Feedback of the simulated shop: background on every channel, and the complaints caused by planted events.

The background is about seventy pieces a day, following traffic, with a mix of issue types per channel. A piece has only
the columns that its channel would really know: a store review has a version but no customer, a ticket has a customer, a
post has neither.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

import numpy as np

from dagster_project.simulation.shop import habits
from dagster_project.simulation.shop.planted import Planted
from dagster_project.simulation.shop.story import COUNTRIES, PLATFORMS, Floats, Story
from dagster_project.simulation.shop.texts import Situation, compose, person_of
from dagster_project.simulation.shop.traffic import ITEMS, Traffic


@dataclass(frozen=True)
class Feedback:
    """One piece of feedback with the columns of its channel, and its truth."""

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
    """Name of the planted event that caused it; empty for background."""
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


@dataclass(frozen=True)
class _Author:
    country: str
    platform: str
    person: int
    order: _Order | None
    version: str
    device: str
    language: str


class _People:
    """Customers by country and platform, with their orders: the pool of authors."""

    def __init__(self, traffic: Traffic, story: Story) -> None:
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
        """Random order of a country with an age in days; None if there is none yet."""
        times = self.order_times[country]
        first = bisect_left(times, at - timedelta(days=age[1]))
        last = bisect_left(times, at - timedelta(days=age[0]))
        return self.orders[country][rng.randrange(first, last)] if first < last else None


def write_feedback(
    story: Story, hours: Sequence[Story], traffic: Traffic, present: datetime, seed: int
) -> list[Feedback]:
    """All feedback of a story and of the hours after it that is known at the present; deterministic.

    What was known at the end of the story comes oldest first, then the rest in the order in which it became known, so
    that a piece keeps its number however often the shop is played on.
    """
    people = _People(traffic, story)
    found = _found(story, people, Random(f"shop-{seed}-feedback"), np.random.default_rng([seed, 6]))
    for hour in hours:
        streams = Random(f"shop-{seed}-feedback-{hour.first_hour}"), np.random.default_rng([seed, 6, hour.first_hour])
        found += _found(hour, people, *streams)
    recorded = sorted((piece for piece in found if piece.known_at <= story.until), key=_by_occurrence)
    later = (piece for piece in found if story.until < piece.known_at <= present)
    played = sorted(later, key=lambda piece: (piece.known_at, *_by_occurrence(piece)))
    return [_numbered(piece, number) for number, piece in enumerate([*recorded, *played], start=1)]


def _by_occurrence(piece: Feedback) -> tuple[datetime, str, str]:
    return piece.occurred_at, piece.source, piece.text


def _found(story: Story, people: _People, rng: Random, counts: np.random.Generator) -> list[Feedback]:
    """All feedback that a grid's hours bring, whenever it becomes known; not numbered yet."""
    found = []
    for hour, pieces in enumerate(counts.poisson(habits.PER_DAY / 24 * story.total_demand)):
        for _ in range(pieces):
            source = _draw({name: share for name, (_, share, _, _) in habits.SOURCES.items()}, rng)
            issue_type = _draw(habits.BACKGROUND[habits.SOURCES[source][0]], rng)
            found.append(_piece(story, people, hour, source, issue_type, None, rng))
    for event in story.planted:
        if event.per_day and event.issue_type:
            for hour, pieces in enumerate(counts.poisson(_complaints(story, event))):
                for _ in range(pieces):
                    source = _draw(habits.SOURCES_OF_EVENT[event.name], rng)
                    found.append(_piece(story, people, hour, source, event.issue_type, event, rng))
    return found


def _complaints(story: Story, event: Planted) -> Floats:
    """Expected complaints that an event causes, by hour."""
    demand = story.demand[event.country] if event.country else story.total_demand
    return event.per_day / 24 * story.strength(event) * demand


def _piece(
    story: Story, people: _People, hour: int, source: str, issue_type: str, event: Planted | None, rng: Random
) -> Feedback:
    channel, _, earliest, latest = habits.SOURCES[source]
    hour = _working_hour(story, hour) if source == "returns" else hour
    occurred_at = story.instant_of(hour + _moment(source, rng))
    if event and occurred_at < event.started_at:
        occurred_at = event.started_at + timedelta(seconds=rng.randrange(60, 1800))
    author = _author(story, people, hour, source, issue_type, event, rng)
    order = author.order
    situation = Situation(
        issue_type=issue_type,
        channel=channel,
        language=author.language,
        country=author.country,
        person=author.person,
        item=ITEMS[order.sku] if order else rng.choice(list(ITEMS.values())),
        order_id=order.order_id if order else f"SO-{rng.randrange(100_000, 125_000)}",
        quotes_order=order is not None,
        device=author.device,
        blamed_version=event.app_version if event else None,
    )
    title, text = compose(situation, rng)
    mood = issue_type if issue_type in habits.RATINGS else "poor" if issue_type in habits.POOR else "bad"
    rating = rng.choice(habits.RATINGS[mood])
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
        author=person_of(author.person, author.country)[0],
        rating=rating,
        nps_score=rng.choice(habits.NPS[rating]),
        language=author.language,
        country=author.country,
        customer_id=f"C{author.person:05d}",
        customer_segment=people.segments[author.person],
        sku=order.sku if order else None,
        platform=author.platform,
        app_version=author.version,
        os_version=rng.choice(habits.SYSTEMS[author.platform]) or None,
        device=author.device,
        browser=rng.choice(habits.BROWSERS) if author.platform == "web" else None,
        order_id=order.order_id if order else None,
    )
    return _as_channel_knows(complete, rng)


def _author(
    story: Story, people: _People, hour: int, source: str, issue_type: str, event: Planted | None, rng: Random
) -> _Author:
    """Random author that fits: right country and platform, with an order if the type is about one."""
    country = (event and event.country) or _draw({c: s * story.demand[c][hour] for c, s in COUNTRIES.items()}, rng)
    platform = _platform(source, event, rng)
    order = None
    if issue_type in habits.ABOUT_AN_ORDER or source in {"shop_reviews", "returns"}:
        order = people.order(country, habits.ORDER_AGE.get(issue_type, (2, 14)), story.instant_of(hour), rng)
    platform = platform or (order.platform if order else _draw(PLATFORMS, rng))
    versions, shares = story.adoption[platform]
    return _Author(
        country=country,
        platform=platform,
        order=order,
        person=order.customer if order else rng.choice(people.at_home[country, platform]),
        version=(event and event.app_version) or _draw(dict(zip(versions, shares[hour].tolist(), strict=True)), rng),
        device=rng.choice(habits.DEVICES[platform]),
        language=_draw(habits.LANGUAGES[country], rng),
    )


def _as_channel_knows(piece: Feedback, rng: Random) -> Feedback:
    """Remove columns that the channel does not know."""
    source = piece.source
    keeps_app = source in {"google_play", "app_store", "chat"} or (source == "zendesk" and rng.random() < 0.75)
    keeps_order = source == "returns" or (source == "zendesk" and rng.random() < 0.7) or source == "chat"
    return replace(
        piece,
        rating=piece.rating if source in habits.HAS_RATING else None,
        nps_score=piece.nps_score if source == "survey" else None,
        language=piece.language if source in habits.KNOWS_LANGUAGE else None,
        country=piece.country if source in habits.KNOWS_COUNTRY else None,
        customer_id=piece.customer_id if source in habits.KNOWS_CUSTOMER else None,
        customer_segment=piece.customer_segment if source in {"zendesk", "chat", "survey"} else None,
        sku=piece.sku if source in {"shop_reviews", "returns"} else None,
        platform=piece.platform if keeps_app or source == "survey" else None,
        app_version=piece.app_version if keeps_app and (source != "google_play" or rng.random() < 0.92) else None,
        os_version=piece.os_version if source == "chat" else None,
        device=piece.device if source in habits.KNOWS_DEVICE else None,
        browser=piece.browser if source == "chat" else None,
        order_id=piece.order_id if keeps_order else None,
    )


def _numbered(piece: Feedback, number: int) -> Feedback:
    """Set the id that the source's reader derives."""
    if piece.source == "google_play":
        own, feedback_id = number, f"gp-{_token(number)}"
    elif piece.source == "app_store":
        own = 11_000_000_000 + number * 37
        feedback_id = f"as-{own}"
    elif piece.source == "zendesk":
        own = 40_000 + number
        feedback_id = f"zd-{own}"
    else:
        own, feedback_id = number, f"{piece.source}-{number:06d}"
    return replace(piece, number=own, feedback_id=feedback_id)


def _token(number: int) -> str:
    """Deterministic review id that looks random."""
    return f"{(number * 2_654_435_761) % 2**32:08x}-{(number * 40_503) % 2**16:04x}"


def _moment(source: str, rng: Random) -> float:
    """Random moment in the hour; the warehouse records whole minutes."""
    return rng.randrange(60) / 60 if source == "returns" else rng.random()


def _working_hour(story: Story, hour: int) -> int:
    """Move to working hours: the warehouse opens parcels by day."""
    hour_of_day = (hour + story.begin.hour) % 24
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

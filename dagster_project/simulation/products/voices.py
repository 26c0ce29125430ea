"""Feedback of a world: ordinary talk, the failure's complaints, and waves of other causes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from dagster_project.simulation.products.scenario import Failure, Wave
from dagster_project.simulation.products.shape import A_DAY, BUCKET, Cell, Shape, chance, country_share, touches
from dagster_project.simulation.products.texts import TYPE_OF_TOPIC, Pool, Style

CUSTOMERS = 900
VALUABLE = 60
"""The first of the customers are few, and worth much."""
_STYLES: dict[str, Style] = {"support_ticket": "letter", "social": "post"}
_ASKING = {"app_review": 0.5, "support_ticket": 1.8, "chat": 1.6, "social": 1.0, "nps": 0.4}
"""Weight of each channel for complaints about a failure, relative to its usual share."""


@dataclass(frozen=True)
class Voice:
    """One piece of feedback. ``caused`` is true for a complaint of the failure; it never reaches a file."""

    product: str
    at: datetime
    known_at: datetime
    channel: str
    text: str
    country: str
    platform: str
    version: str
    customer: str
    rating: int
    feature: str
    caused: bool


def customer_id(product: str, number: int) -> str:
    """The id of a customer in every system of a company."""
    return f"{product}-c{number:05d}"


class Speaker:
    """Draws the voices of one world."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._world = shape.world
        self._pool = Pool(shape.key)
        self._rng = chance(shape.key, "voices")
        self._cell_shares = np.array([cell.share for cell in shape.cells])

    def all(self) -> list[Voice]:
        """Every voice, in order of time."""
        voices = [*self._ordinary(), *self._complaints()]
        for wave in self._world.waves:
            voices += self._wave(wave)
        return sorted(voices, key=lambda voice: (voice.at, voice.text, voice.customer))

    def _ordinary(self) -> Iterator[Voice]:
        base = self._world.product.topics
        counts = self._rng.poisson(self._shape.talk)
        for bucket in np.repeat(np.arange(self._shape.count), counts):
            at = self._within(int(bucket))
            topics = dict(base)
            for crowd in self._world.crowds:
                if crowd.topics and crowd.start <= at < crowd.start + timedelta(hours=crowd.hours):
                    topics = {name: weight * crowd.topics.get(name, 1.0) for name, weight in topics.items()}
            yield self._voice(at, self._pick(topics), channel=self._pick(self._channels(at)))

    def _channels(self, at: datetime) -> dict[str, float]:
        shift = self._world.mix_shift
        return shift[1] if shift and at >= shift[0] else self._world.product.channels

    def _complaints(self) -> Iterator[Voice]:
        """Complaints of the failure: as many as it reaches, some hours after it hits."""
        failure, shape = self._world.failure, self._shape
        if failure is None:
            return
        hit = [cell for cell in shape.cells if touches(failure, cell)]
        reached = np.sum([cell.share for cell in hit], axis=0) * country_share(self._world) * failure.reach
        counts = self._rng.poisson(
            shape.usual * self._world.product.feedback_per_day / A_DAY * reached * shape.failing * failure.vocal
        )
        shares = {name: part * _ASKING[name] for name, part in self._world.product.channels.items()}
        for bucket in np.repeat(np.arange(shape.count), counts):
            at = self._within(int(bucket)) + timedelta(hours=float(self._rng.exponential(2.0)))
            if at < self._world.until:
                yield self._complaint(failure, hit, int(bucket), at, self._pick(shares))

    def _complaint(self, failure: Failure, hit: list[Cell], bucket: int, at: datetime, channel: str) -> Voice:
        parts = np.array([cell.share[bucket] for cell in hit])
        cell = hit[int(self._rng.choice(len(hit), p=parts / parts.sum()))]
        return self._voice(at, failure.topic, channel=channel, cell=cell, failure=failure)

    def _wave(self, wave: Wave) -> Iterator[Voice]:
        for number in range(wave.count):
            at = wave.start + timedelta(hours=float(self._rng.uniform(0, wave.hours)))
            if at >= self._world.until:
                continue
            customer = {"": None, "unknown": "", "one": customer_id(self._world.product.name, 107)}[wave.account]
            yield self._voice(
                at,
                wave.topics[number % len(wave.topics)],
                channel=wave.channels[number % len(wave.channels)],
                customer=customer,
                rating=wave.rating,
                country=wave.country,
            )

    def _voice(
        self,
        at: datetime,
        topic: str,
        *,
        channel: str,
        cell: Cell | None = None,
        failure: Failure | None = None,
        customer: str | None = None,
        rating: int | None = None,
        country: str = "",
    ) -> Voice:
        cell = cell or self._cell(at)
        if channel == "app_review" and not cell.version:
            channel = "support_ticket"
        country = (failure.country if failure else "") or country or self._pick(self._world.product.countries)
        if customer is None:
            customer = self._customer(failure.segment if failure else "")
        return Voice(
            product=self._world.product.name,
            at=at,
            known_at=self._known(at),
            channel=channel,
            text=self._pool.draw(topic, _STYLES.get(channel, "short")),
            country=country,
            platform=cell.platform,
            version=cell.version,
            customer=customer,
            rating=rating or self._rating(topic),
            feature=failure.feature if failure and self._rng.random() < 0.4 else "",
            caused=failure is not None,
        )

    def _cell(self, at: datetime) -> Cell:
        shares = self._cell_shares[:, min(self._shape.bucket(at), self._shape.count - 1)]
        return self._shape.cells[int(self._rng.choice(len(shares), p=shares / shares.sum()))]

    def _customer(self, segment: str) -> str:
        """A customer in the CRM."""
        number = int(self._rng.integers(0, VALUABLE if segment else CUSTOMERS))
        return customer_id(self._world.product.name, number)

    def _known(self, at: datetime) -> datetime:
        """Arrival of the row: mostly within the hour, some a day or two late, and after an outage all at once."""
        late = self._rng.random() < 0.06
        known = at + timedelta(hours=float(self._rng.uniform(6, 48) if late else self._rng.uniform(0.05, 1)))
        for gap in self._world.gaps:
            end = gap.start + timedelta(hours=gap.hours)
            if gap.table == "feedback" and gap.start <= known < end:
                return end + timedelta(seconds=float(self._rng.uniform(0, 600)))
        return known

    def _rating(self, topic: str) -> int:
        kind = TYPE_OF_TOPIC[topic]
        weights = {"praise": (0, 0, 1, 4, 15), "other": (2, 1, 3, 3, 4), "feature_request": (1, 2, 5, 5, 3)}
        stars = np.array(weights.get(kind, (11, 5, 3, 1, 0.4)), dtype=float)
        return int(self._rng.choice(5, p=stars / stars.sum())) + 1

    def _within(self, bucket: int) -> datetime:
        return self._shape.instants[bucket] + timedelta(seconds=int(self._rng.integers(0, BUCKET.seconds)))

    def _pick(self, weights: dict[str, float]) -> str:
        parts = np.array(list(weights.values()), dtype=float)
        return list(weights)[int(np.searchsorted(np.cumsum(parts), self._rng.random() * parts.sum(), side="right"))]

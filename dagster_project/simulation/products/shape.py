"""Expected course of a world: visits and feedback per quarter of an hour, versions in use, and the failing share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dagster_project.simulation.products.scenario import Change, Failure, World

Series = NDArray[np.float64]

BUCKET = timedelta(minutes=15)
A_DAY = 96
"""Buckets of a day."""
_HOURS = np.array(
    [2, 1.2, 0.8, 0.6, 0.6, 1, 2, 3.5, 4.5, 5, 5.2, 5.5, 6, 5.6, 5.2, 5, 5.2, 5.8, 6.8, 7.6, 8, 7.4, 5.6, 3.6]
)
_LEAST_FACTOR = 0.35
"""Least factor that chance gives a day."""


def chance(*names: object) -> np.random.Generator:
    """A generator of its own for each part of a world, so that a change of one part leaves the others as they are."""
    digest = hashlib.sha256("/".join(map(str, names)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


@dataclass(frozen=True)
class Cell:
    """Customers of one platform and version; ``version`` is empty on the web, ``share`` their part of all visits."""

    platform: str
    version: str
    share: Series


class Shape:
    """The expected course of one world."""

    def __init__(self, world: World, key: str) -> None:
        self.world = world
        self.key = key
        self.count = int((world.until - world.start) / BUCKET)

    @cached_property
    def instants(self) -> list[datetime]:
        """Begin of every bucket."""
        return [self.world.start + number * BUCKET for number in range(self.count)]

    def bucket(self, at: datetime) -> int:
        """Number of the bucket that holds an instant, within the history."""
        return int(np.clip((at - self.world.start) / BUCKET, 0, self.count))

    def span(self, start: datetime, hours: float) -> slice:
        """The buckets of a time."""
        return slice(self.bucket(start), self.bucket(start + timedelta(hours=hours)))

    def lost(self, table: str) -> set[int]:
        """Buckets in the gaps of a table."""
        gaps = [self.span(gap.start, gap.hours) for gap in self.world.gaps if gap.table == table]
        return {bucket for gap in gaps for bucket in range(gap.start, gap.stop)}

    @cached_property
    def usual(self) -> Series:
        """Weekday, hour, growth and holidays; mean about 1 at the start."""
        rng = chance(self.key, "usual")
        weekday = np.clip(rng.normal(1, 0.09, 7), 0.7, 1.3)
        day = np.arange(self.count) // A_DAY
        hours = np.interp(np.arange(A_DAY) / 4, np.arange(25), np.append(_HOURS, _HOURS[0]))
        hours = np.roll(hours / hours.mean(), int(rng.integers(-24, 25)))
        course = weekday[(day + self.world.start.weekday()) % 7] * np.tile(hours, self.count // A_DAY + 1)[: self.count]
        course = course * (1 + self.world.product.growth * day / 30)
        for holiday in self.world.holidays:
            course[self.span(holiday, 24)] *= 1.6
        return np.asarray(course, dtype=np.float64)

    def _days_of_chance(self, name: str, deviation: float) -> Series:
        """A lognormal factor per day, with mean 1 and this standard deviation."""
        days = self.count // A_DAY + 1
        sigma = np.sqrt(np.log1p(deviation**2))
        factors = np.exp(chance(self.key, name).normal(-(sigma**2) / 2, sigma, days))
        return np.repeat(np.maximum(factors, _LEAST_FACTOR), A_DAY)[: self.count]

    @cached_property
    def visits(self) -> Series:
        """Expected visits per bucket."""
        product = self.world.product
        course = self.usual * self._days_of_chance("visits", product.overdispersion / 2)
        for crowd in self.world.crowds:
            course[self.span(crowd.start, crowd.hours)] *= crowd.visits
        return course * product.feedback_per_day * product.visits_per_feedback / A_DAY

    @cached_property
    def talk(self) -> Series:
        """Expected ordinary feedback per bucket; its days scatter more than those of visits."""
        product = self.world.product
        course = self.usual * self._days_of_chance("talk", product.overdispersion)
        for crowd in self.world.crowds:
            course[self.span(crowd.start, crowd.hours)] *= crowd.feedback
        return course * product.feedback_per_day / A_DAY

    @cached_property
    def conversion(self) -> Series:
        """Factor on the last steps of the funnel that no failure explains."""
        factor = np.ones(self.count)
        for crowd in self.world.crowds:
            factor[self.span(crowd.start, crowd.hours)] *= crowd.conversion
        return factor

    @cached_property
    def cells(self) -> list[Cell]:
        """Platforms and versions with their share of visits; adoption is a curve, so several versions live at once."""
        total = sum(self.world.product.platforms.values())
        return [
            Cell(platform, version, share * part / total)
            for platform, part in self.world.product.platforms.items()
            for version, share in self._versions(platform)
        ]

    def _versions(self, platform: str) -> Iterator[tuple[str, Series]]:
        releases = [one for one in self.world.changes if one.kind == "app" and one.platform in ("", platform)]
        left = np.ones(self.count)
        if platform == "web" or not releases:
            yield "", left
            return
        for release in sorted(releases, key=lambda one: one.at, reverse=True):
            taken = left * self._adopted(release)
            left = left - taken
            yield release.version, taken

    def _adopted(self, release: Change) -> Series:
        """Share of customers who have taken a release; one from before the history has all that are left."""
        if release.at <= self.world.start:
            return np.ones(self.count)
        days = np.maximum(0.0, (np.arange(self.count) - (release.at - self.world.start) / BUCKET) / A_DAY)
        limit = 1.0 if release.rollout_percent is None else release.rollout_percent / 100
        return limit * (1 - np.exp(-days / release.adoption_days))

    @cached_property
    def failing(self) -> Series:
        """Share of affected requests that fail, by bucket; zero outside the failure's time."""
        failure, share = self.world.failure, np.zeros(self.count)
        if failure is None:
            return share
        since = (np.arange(self.count) - (failure.onset - self.world.start) / BUCKET) / 4
        rising = np.clip(since / failure.ramp_hours, 0, 1) if failure.ramp_hours else (since >= 0).astype(float)
        if failure.ended:
            rising[self.bucket(failure.ended) :] = 0
        return np.asarray(failure.share * rising, dtype=np.float64)

    def fails_in(self, cell: Cell) -> Series:
        """Share of a cell's requests that fail, over all its countries."""
        failure = self.world.failure
        if failure is None or not touches(failure, cell):
            return np.zeros(self.count)
        return self.failing * country_share(self.world) * failure.reach

    @cached_property
    def fails_overall(self) -> Series:
        """Share of all requests that fail."""
        parts = [self.fails_in(cell) * cell.share for cell in self.cells]
        return np.asarray(np.sum(parts, axis=0), dtype=np.float64)


def touches(failure: Failure, cell: Cell) -> bool:
    """True if customers of a platform and version can meet the failure."""
    return failure.platform in ("", cell.platform) and failure.version in ("", cell.version)


def country_share(world: World) -> float:
    """Share of customers in the failure's country; 1 if it is everywhere."""
    countries, failure = world.product.countries, world.failure
    if failure is None or not failure.country:
        return 1.0
    return countries[failure.country] / sum(countries.values())

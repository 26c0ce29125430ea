"""Timeline of a world: clock, releases and their adoption, strength of troubles, size of crowds.

Time is a grid of whole hours; arrays have one entry per hour, shape (hours,), unless noted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from dagster_project.lake_tables import INSTANT
from dagster_project.simulation.shop.story import HOURS_OF_DAY, PLATFORMS, WEEKDAYS, updated
from dagster_project.simulation.worlds.scenario import Flag, Rollout, Trouble, World

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

START = datetime(2026, 1, 5, tzinfo=UTC)
"""Start of every timeline, a Monday."""
DAYS_BEFORE, DAYS_AFTER = 30, 6
HOURS = (DAYS_BEFORE + DAYS_AFTER) * 24


@dataclass
class Timeline:
    """Clock, releases, adoption, troubles and crowds of one world."""

    world: World

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.world.seed)
        self.onset = DAYS_BEFORE * 24 + float(self.rng.uniform(6, 18))
        self.releases = self._scheduled()

    def instant(self, hour: float) -> datetime:
        """Instant at an hour relative to the onset, to the second."""
        return START + timedelta(seconds=round((self.onset + hour) * 3600))

    def onset_at(self) -> datetime:
        """Onset: instant at which the scenario's event begins."""
        return self.instant(0)

    @cached_property
    def hours(self) -> Floats:
        """Middle of each hour, relative to the onset."""
        return np.arange(HOURS, dtype=np.float64) + 0.5 - np.float64(self.onset)

    def _scheduled(self) -> tuple[tuple[str, Rollout], ...]:
        """All releases with their versions, oldest first: the plot's, and a harmless one a week per platform."""
        own = [change for change in self.world.plot.changes if isinstance(change, Rollout)]
        weekly = []
        for platform in PLATFORMS:
            phase = float(self.rng.uniform(0, 168))
            for week in range(-7, 1):
                hour = week * 168 + phase
                near = any(abs(one.hour - hour) < 72 for one in own if one.platform == platform)
                if hour < DAYS_AFTER * 24 and not near:
                    weekly.append(Rollout(platform, hour))
        ordered = sorted([*weekly, *own], key=lambda one: (one.platform, one.hour))
        return tuple((f"{20 + number // 10}.{number % 10}", one) for number, one in enumerate(ordered))

    def change_id(self, change: Rollout | Flag) -> str:
        """Change id of a change of the plot, as the marts have it."""
        if isinstance(change, Flag):
            return f"{change.key}@{self.instant(change.hour):%Y-%m-%d %H:%M}"
        return f"{self.world.product}:{self.version_of(change)}"

    def version_of(self, release: Rollout) -> str:
        """Version of a release."""
        return next(version for version, one in self.releases if one is release)

    @cached_property
    def adoption(self) -> dict[str, tuple[tuple[str, ...], Floats]]:
        """Versions per platform and the share of users on each, shape (hours, versions); see ``shop/story.py``."""
        adoption = {}
        for platform in PLATFORMS:
            own = [(version, one) for version, one in self.releases if one.platform == platform]
            shares = np.zeros((HOURS, len(own)))
            left = np.ones(HOURS)
            for place in range(len(own) - 1, -1, -1):
                release = own[place][1]
                reached = release.reach * self._updated(release)
                shares[:, place] = left * (reached if place else 1.0)
                left = left - shares[:, place]
            shares[shares < 0.015] = 0.0
            adoption[platform] = tuple(version for version, _ in own), shares / shares.sum(axis=1, keepdims=True)
        return adoption

    def _updated(self, release: Rollout) -> Floats:
        """Share of the people who may have a release that have installed it, by hour."""
        since = self.hours - release.hour
        if release.forced_within is None:
            return updated(since / 24, release.platform)
        forced: Floats = np.clip(since / release.forced_within, 0, 1)
        return forced

    def strength(self, trouble: Trouble) -> Floats:
        """Strength of a trouble by hour, 0 to 1, where it acts."""
        since = self.hours - trouble.start
        level = (since > 0) & (self.hours < (trouble.end if trouble.end is not None else np.inf))
        grown = np.clip(since / trouble.grows, 0, 1) if trouble.grows else np.ones(HOURS)
        strength: Floats = level * grown
        return strength

    def share(self, trouble: Trouble) -> Floats:
        """Share of the platform's users that a trouble can affect, by hour."""
        if trouble.release is None:
            return np.ones(HOURS)
        versions, shares = self.adoption[trouble.release.platform]
        return shares[:, versions.index(self.version_of(trouble.release))]

    @cached_property
    def crowd(self) -> Floats:
        """Relative traffic by hour, mean 1.0 without crowds: time of day, weekday, growth, crowds."""
        number = np.arange(HOURS)
        level: Floats = HOURS_OF_DAY[number % 24] / HOURS_OF_DAY.mean() * np.array(WEEKDAYS)[number // 24 % 7]
        level = level * (1 + 0.001 * number / 24)
        for one in self.world.plot.crowds:
            level = np.where((self.hours >= one.start) & (self.hours < one.end), level * one.factor, level)
        if self.world.plot.quirk == "new_locale":
            level = np.where(self.hours > 0, level * 1.4, level)
        return level


def instants(microseconds: Ints) -> pl.Series:
    """Instants from microseconds since ``START``."""
    return pl.Series(microseconds + int(START.timestamp()) * 1_000_000).cast(INSTANT)

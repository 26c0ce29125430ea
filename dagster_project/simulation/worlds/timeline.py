"""The course of a world: its clock, its releases and who runs which, how strong its troubles are, how big its crowds.

Time is a grid of whole hours; arrays have one entry per hour of the story, shape (hours,) unless said otherwise.
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
from dagster_project.simulation.worlds.scenario import Flag, Release, Trouble, World

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

START = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday; every story begins then."""
DAYS_BEFORE, DAYS_AFTER = 30, 6
HOURS = (DAYS_BEFORE + DAYS_AFTER) * 24


@dataclass
class Course:
    """How one world goes: its clock, its releases and who runs which, its troubles and its crowds."""

    world: World

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.world.seed)
        self.onset = DAYS_BEFORE * 24 + float(self.rng.uniform(6, 18))
        self.releases = self._scheduled()

    def instant(self, hour: float) -> datetime:
        """The instant so many hours after the onset, to the second."""
        return START + timedelta(seconds=round((self.onset + hour) * 3600))

    def onset_at(self) -> datetime:
        """When the scenario's event begins."""
        return self.instant(0)

    @cached_property
    def hours(self) -> Floats:
        """The middle of each hour, in hours from the onset."""
        return np.arange(HOURS, dtype=np.float64) + 0.5 - np.float64(self.onset)

    def _scheduled(self) -> tuple[tuple[str, Release], ...]:
        """Every release with its version, oldest first: the plot's, and a harmless one a week on each platform."""
        own = [change for change in self.world.plot.changes if isinstance(change, Release)]
        weekly = []
        for platform in PLATFORMS:
            phase = float(self.rng.uniform(0, 168))
            for week in range(-7, 1):
                hour = week * 168 + phase
                near = any(abs(one.hour - hour) < 72 for one in own if one.platform == platform)
                if hour < DAYS_AFTER * 24 and not near:
                    weekly.append(Release(platform, hour))
        ordered = sorted([*weekly, *own], key=lambda one: (one.platform, one.hour))
        return tuple((f"{20 + number // 10}.{number % 10}", one) for number, one in enumerate(ordered))

    def change_id(self, change: Release | Flag) -> str:
        """The id under which the decisions know a change of the plot."""
        if isinstance(change, Flag):
            return f"{change.key}@{self.instant(change.hour):%Y-%m-%d %H:%M}"
        return f"{self.world.product}:{self.version_of(change)}"

    def version_of(self, release: Release) -> str:
        """The version that a release brought."""
        return next(version for version, one in self.releases if one is release)

    @cached_property
    def adoption(self) -> dict[str, tuple[tuple[str, ...], Floats]]:
        """Per platform its versions and the share of people on each, shape (hours, versions); see the shop's story."""
        adoption = {}
        for platform in PLATFORMS:
            own = [(version, one) for version, one in self.releases if one.platform == platform]
            shares = np.zeros((HOURS, len(own)))
            left = np.ones(HOURS)
            for place in range(len(own) - 1, -1, -1):
                release = own[place][1]
                reached = release.reach * updated((self.hours - release.hour) / 24, platform)
                shares[:, place] = left * (reached if place else 1.0)
                left = left - shares[:, place]
            shares[shares < 0.015] = 0.0
            adoption[platform] = tuple(version for version, _ in own), shares / shares.sum(axis=1, keepdims=True)
        return adoption

    def strength(self, trouble: Trouble) -> Floats:
        """How strongly a trouble acts where it acts, by hour, 0 to 1."""
        since = self.hours - trouble.start
        level = (since > 0) & (self.hours < (trouble.end if trouble.end is not None else np.inf))
        grown = np.clip(since / trouble.grows, 0, 1) if trouble.grows else np.ones(HOURS)
        strength: Floats = level * grown
        return strength

    def share(self, trouble: Trouble) -> Floats:
        """The share of its platform's people whom a trouble can reach, by hour."""
        if trouble.release is None:
            return np.ones(HOURS)
        versions, shares = self.adoption[trouble.release.platform]
        return shares[:, versions.index(self.version_of(trouble.release))]

    @cached_property
    def crowd(self) -> Floats:
        """People, 1.0 on average when quiet: day and night, weekdays, slow growth, crowds."""
        number = np.arange(HOURS)
        level: Floats = HOURS_OF_DAY[number % 24] / HOURS_OF_DAY.mean() * np.array(WEEKDAYS)[number // 24 % 7]
        level = level * (1 + 0.001 * number / 24)
        for one in self.world.plot.crowds:
            level = np.where((self.hours >= one.start) & (self.hours < one.end), level * one.factor, level)
        if self.world.plot.quirk == "new_locale":
            level = np.where(self.hours > 0, level * 1.4, level)
        return level


def instants(microseconds: Ints) -> pl.Series:
    """Instants from microseconds since the story's start."""
    return pl.Series(microseconds + int(START.timestamp()) * 1_000_000).cast(INSTANT)

"""Story of the simulated shop: traffic profile, releases and their adoption, campaigns, flags, planted events.

All of it is deterministic and relative to ``until``; ``traffic.py`` and ``feedback.py`` draw random rows from it. Time
is a grid of whole hours; arrays with one entry per hour are indexed by ``Story.hour_of``. The grid ends at ``until``;
each hour after it has a grid of its own (``played.Hour``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt

from dagster_project.errors import ConfigurationError
from dagster_project.simulation.shop.planted import Campaign, FlagChange, Planted, ShopRelease

Floats = npt.NDArray[np.float64]
Adoption = dict[str, tuple[tuple[str, ...], Floats]]

PRODUCT = "shop-app"
PLATFORMS = {"android": 0.45, "ios": 0.33, "web": 0.22}
COUNTRIES = {"DE": 0.36, "US": 0.28, "GB": 0.20, "FR": 0.16}
SHORTEST_STORY = 21

_UTC_OFFSETS = {"DE": 1, "US": -6, "GB": 0, "FR": 1}
WEEKDAYS = (0.95, 0.92, 0.94, 0.97, 1.02, 1.11, 1.14)
HOURS_OF_DAY = np.array(
    (9, 6, 4, 3, 3, 5, 12, 25, 38, 46, 51, 54, 60, 57, 52, 50, 53, 60, 71, 83, 90, 80, 52, 24), dtype=float
)
_GROWTH_PER_DAY = 0.0015
_UPDATE_DAYS = {"android": 1.6, "ios": 0.9, "web": 0.05}
_SLOW_UPDATERS, _SLOW_DAYS = 0.05, 9.0
_SMALLEST_SHARE = 0.015


@dataclass(frozen=True)
class Story:
    """Events between ``since`` and ``until``; deterministic for its arguments."""

    until: datetime
    days: int

    @classmethod
    def ending(cls, until: datetime, days: int) -> Story:
        """The story whose last full hour ends at or before ``until``.

        Raises:
            ConfigurationError: too short to hold what is planted, or an instant without a time zone.
        """
        if until.tzinfo is None:
            raise ConfigurationError(f"until={until} has no time zone; give an instant in UTC")
        if not SHORTEST_STORY <= days <= 400:
            raise ConfigurationError(f"days={days} is out of range; the story needs {SHORTEST_STORY} to 400 days")
        return cls(until.astimezone(UTC).replace(minute=0, second=0, microsecond=0), days)

    @property
    def since(self) -> datetime:
        """The first instant of the story."""
        return self.until - timedelta(days=self.days)

    @property
    def first_hour(self) -> int:
        """Hours from the beginning of the story to that of the grid."""
        return 0

    @property
    def hours(self) -> int:
        """Length of the grid in hours."""
        return self.days * 24

    @property
    def begin(self) -> datetime:
        """The first instant of the grid."""
        return self.since + timedelta(hours=self.first_hour)

    def before_end(self, *, days: float) -> datetime:
        """The instant so many days before the end, to the minute."""
        return self.until - timedelta(minutes=round(days * 1440))

    def hour_of(self, instant: datetime) -> float:
        """Hours from the beginning of the grid."""
        return (instant - self.begin) / timedelta(hours=1)

    def instant_of(self, hour: float) -> datetime:
        """The instant so many hours into the grid, to the second."""
        return self.begin + timedelta(seconds=round(hour * 3600))

    @cached_property
    def hour_starts(self) -> npt.NDArray[np.datetime64]:
        """The start of every hour."""
        first = np.datetime64(self.begin.replace(tzinfo=None), "us")
        return first + np.arange(self.hours) * np.timedelta64(1, "h")

    def between(self, started_at: datetime, ended_at: datetime | None) -> Floats:
        """Share of each hour that lies between two instants."""
        start = self.hour_of(started_at)
        end = self.hour_of(ended_at) if ended_at else float(self.hours)
        hours = np.arange(self.hours, dtype=float)
        within: Floats = np.clip(np.minimum(hours + 1, end) - np.maximum(hours, start), 0.0, 1.0)
        return within

    @cached_property
    def demand(self) -> dict[str, Floats]:
        """Traffic per country and hour, 1.0 on average when quiet: day and night, weekdays, growth, campaigns."""
        hours = self.first_hour + np.arange(self.hours)
        trend = 1 + _GROWTH_PER_DAY * (hours / 24 - self.days / 2)
        push = np.ones(self.hours)
        for campaign in self.campaigns:
            push += (campaign.factor - 1) * self.between(campaign.started_at, campaign.ended_at)
        profile = HOURS_OF_DAY / HOURS_OF_DAY.mean()
        demand = {}
        for country, offset in _UTC_OFFSETS.items():
            local = hours + self.since.hour + offset
            weekday = (self.since.weekday() + local // 24) % 7
            demand[country] = profile[local % 24] * np.array(WEEKDAYS)[weekday] * trend * push
        return demand

    @cached_property
    def total_demand(self) -> Floats:
        """Traffic of all countries together, 1.0 on average."""
        total: Floats = np.sum([share * self.demand[country] for country, share in COUNTRIES.items()], axis=0)
        return total

    @cached_property
    def releases(self) -> tuple[ShopRelease, ...]:
        """All releases, oldest first; the first lie before the story, so that day one has versions."""
        plans = [
            ("android", 260, (2.5556, 9.43, 16.40, 23.40, 31.38, 37.42), 7),
            ("ios", 243, (6.40, 13.42, 18.35, 20.35, 27.40, 34.40), 7),
            ("web", 637, (5.44, 12.31, 19.39, 26.45, 33.40), 7),
        ]
        releases = []
        for platform, last_number, named_days, every in plans:
            offsets = list(named_days)
            while offsets[-1] < self.days + 3 * every:
                offsets.append(offsets[-1] + every)
            for back, offset in enumerate(offsets):
                releases.append(self._release(platform, last_number - back, offset))
        return tuple(sorted(releases, key=lambda release: (release.deployed_at, release.number)))

    def _release(self, platform: str, number: int, days_before_end: float) -> ShopRelease:
        version, previous = _version(number), _version(number - 1)
        notes = {
            ("android", "5.2.0"): "New checkout with saved delivery addresses.",
            ("ios", "4.8.0"): "New start page and image viewer.",
            ("ios", "4.8.1"): "Fixes a crash on the start page.",
        }.get((platform, version), "Small improvements and fixes.")
        return ShopRelease(
            number=90_000_000 + {"android": 1, "ios": 2, "web": 3}[platform] * 100_000 + number,
            version=version,
            previous_version=previous,
            platform=platform,
            deployed_at=self.before_end(days=days_before_end),
            notes=notes,
            author={"android": "mara-android", "ios": "theo-ios", "web": "wen-web"}[platform],
        )

    def release(self, platform: str, version: str) -> ShopRelease:
        """The release of a version."""
        return next(r for r in self.releases if (r.platform, r.version) == (platform, version))

    @cached_property
    def adoption(self) -> Adoption:
        """Versions in use per platform, and their share of its traffic, shape (hours, versions)."""
        return self._adoption()

    def _adoption(self) -> Adoption:
        """The adoption that follows from the releases alone.

        Users update some days after a release: most soon, a few slowly. With F(t) the share of users that have updated
        t days after a release, version i has F(t since i) - F(t since i+1). Shares below 1.5 % are dropped.
        """
        middle_of_hour = np.arange(self.hours) + 0.5
        adoption = {}
        for platform in PLATFORMS:
            releases = [release for release in self.releases if release.platform == platform]
            days_out = [(middle_of_hour - self.hour_of(release.deployed_at)) / 24 for release in releases]
            reached = [updated(days, platform) for days in days_out]
            newer = [*reached[1:], np.zeros(self.hours)]
            shares = np.array([this - later for this, later in zip(reached, newer, strict=True)]).T
            shares[shares < _SMALLEST_SHARE] = 0.0
            used = shares.max(axis=0) > 0
            versions = tuple(release.version for release, is_used in zip(releases, used, strict=True) if is_used)
            adoption[platform] = (versions, shares[:, used] / shares.sum(axis=1, keepdims=True))
        return adoption

    def share_of(self, platform: str, version: str) -> Floats:
        """Share of a platform's traffic on a version, by hour."""
        versions, shares = self.adoption[platform]
        return shares[:, versions.index(version)] if version in versions else np.zeros(self.hours)

    @cached_property
    def campaigns(self) -> tuple[Campaign, ...]:
        """Campaigns: a sale, and a newsletter without visible effect."""
        sale = Campaign("cmp-sale", "sale", "Two-day sale", self.before_end(days=12), self.before_end(days=10), 2.2)
        letter = Campaign(
            "cmp-letter", "newsletter", "Monthly letter", self.before_end(days=41), self.before_end(days=40), 1.12
        )
        return tuple(c for c in (letter, sale) if c.started_at >= self.since)

    @cached_property
    def flags(self) -> tuple[FlagChange, ...]:
        """Flag changes, all harmless."""
        plans = (
            (44.6, "gift_wrapping", "production", True, "", "checkout"),
            (33.6, "dark_mode_beta", "production", True, "ten_percent", "appearance"),
            (26.5, "loyalty_widget", "production", False, "", "account"),
            (17.6, "new_search_ranking", "staging", True, "", "search"),
            (15.4, "new_search_ranking", "production", True, "all", "search"),
            (5.6, "seasonal_start_page", "production", True, "", "start_page"),
        )
        changes = (FlagChange(key, env, self.before_end(days=d), on, var, feat) for d, key, env, on, var, feat in plans)
        return tuple(change for change in changes if change.changed_at >= self.since)

    @cached_property
    def planted(self) -> tuple[Planted, ...]:
        """Planted events inside the story, by start."""
        bad, crash, fix = self.release("android", "5.2.0"), self.release("ios", "4.8.0"), self.release("ios", "4.8.1")
        sale = self.before_end(days=12)
        ranking = self.before_end(days=15.4)
        strike, hiccup = self.before_end(days=5.1), self.before_end(days=30.35)
        events = (
            Planted(
                "payment_hiccup", "The payment provider fails for five hours on every platform.", "payment_failure",
                hiccup, hiccup + timedelta(hours=5), expect_issue=None, per_day=10.0,
                expected_verdicts=("no_regression", "inconclusive", "insufficient_data"), expected_status="resolved",
            ),
            Planted(
                "ios_crash", "iOS 4.8.0 crashes on start; 4.8.1 fixes it two days later.", "app_crash",
                crash.deployed_at, fix.deployed_at, platform="ios", app_version="4.8.0", release_id=crash.release_id,
                expected_verdicts=("regression",), expected_status="resolved", per_day=44.0,
            ),
            Planted(
                "search_flag", "The flag new_search_ranking goes on for everybody; nothing breaks.", None,
                ranking, None, expect_issue=False,
            ),
            Planted(
                "sale", "A two-day sale more than doubles traffic, orders and feedback alike.", None,
                sale, self.before_end(days=10), expect_issue=False,
            ),
            Planted(
                "carrier_strike", "A carrier strike in Germany delays deliveries; no release has to do with it.",
                "shipping_delivery", strike, None, country="DE", expected_verdicts=("no_regression",),
                expected_status="open", per_day=15.0,
            ),
            Planted(
                "android_checkout", "Android 5.2.0 breaks the checkout; still going on.", "checkout_failure",
                bad.deployed_at, None, platform="android", app_version="5.2.0", release_id=bad.release_id,
                expected_verdicts=("regression",), expected_status="open", per_day=50.0,
            ),
        )  # fmt: skip
        return tuple(event for event in events if event.started_at >= self.since)

    def strength(self, event: Planted) -> Floats:
        """Strength of an event by hour, 0 to 1: for a release its adoption, for the strike a ramp."""
        if event.app_version and event.platform:
            return self.share_of(event.platform, event.app_version)
        if event.name == "carrier_strike":
            hours = np.arange(self.hours) + 0.5 - self.hour_of(event.started_at)
            return np.clip(0.25 + 0.75 * hours / 18, 0.0, 1.0) * (hours > 0)
        return self.between(event.started_at, event.ended_at)


def updated(days: Floats, platform: str) -> Floats:
    """Share of a platform's users that have updated, by days after a release."""
    out = np.maximum(days, 0.0)
    soon, late = 1 - np.exp(-out / _UPDATE_DAYS[platform]), 1 - np.exp(-out / _SLOW_DAYS)
    return (1 - _SLOW_UPDATERS) * soon + _SLOW_UPDATERS * late


def _version(number: int) -> str:
    """Version of a release number: five patches to a minor, ten minors to a major."""
    return f"{number // 50}.{number // 5 % 10}.{number % 5}"

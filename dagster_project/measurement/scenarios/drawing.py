"""From a world to the rows of the lake: what is said, what machines record, what is released.

Time is a grid of whole hours; arrays have one entry per hour of the story. Feedback carries the label that a perfect
classifier would give it, but for ``label_errors``, which are dealt out at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from dagster_project.lake import INSTANT
from dagster_project.measurement.scenarios.worlds import (
    BREAKABLE,
    COUNTRIES,
    NEW_COUNTRY,
    PLATFORMS,
    Flag,
    Release,
    Trouble,
    World,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

START = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday; every story begins then."""
DAYS_BEFORE, DAYS_AFTER = 30, 6
_HOURS = (DAYS_BEFORE + DAYS_AFTER) * 24

_HOURS_OF_DAY = np.array(
    (9, 6, 4, 3, 3, 5, 12, 25, 38, 46, 51, 54, 60, 57, 52, 50, 53, 60, 71, 83, 90, 80, 52, 24), dtype=float
)
_WEEKDAYS = np.array((0.95, 0.92, 0.94, 0.97, 1.02, 1.11, 1.09))
_UPDATE_DAYS = {"android": 1.6, "ios": 0.9, "web": 0.05}
_MIX = {
    "praise": 26.0, "other": 12.0, "feature_request": 9.0, "feature_bug": 7.0, "ui_usability": 6.0,
    "pricing_expectation": 6.0, "customer_service": 5.0, "performance": 5.0, "shipping_delivery": 5.0, "app_crash": 4.0,
    "login_account": 3.0, "billing_subscription": 3.0, "search_discovery": 2.0, "payment_failure": 2.0,
    "checkout_failure": 2.0, "product_defect": 2.0, "returns_refunds": 2.0, "inventory_availability": 2.0,
    "security_privacy": 1.0, "packaging": 1.0,
}  # fmt: skip
TYPES = tuple(_MIX)
_CHANNELS = {"app_review": 0.45, "support_ticket": 0.25, "chat": 0.12, "social": 0.08, "nps": 0.10}
_RATINGS = {"praise": 5.0, "other": 3.0, "feature_request": 4.0}
_BASE_ERRORS = {"checkout": 0.004, "payments": 0.008, "search": 0.002, "identity": 0.006, "app-client": 0.003}
_CALLS = {"checkout": 0.4, "payments": 0.25, "search": 1.6, "identity": 0.5, "app-client": 1.0}
# step: share of visits that enters, share of those that completes
_FUNNEL = {
    "visit": (1.0, 0.97),
    "login": (0.34, 0.95),
    "search": (0.55, 0.86),
    "checkout": (0.07, 0.78),
    "payment": (0.055, 0.93),
    "order": (0.05, 0.995),
}
_VISITS_PER_FEEDBACK = 120
_DISPERSION = 0.2
"""Standard deviation of a day's level of each issue type against its mean, beyond chance."""
_FINE_FROM = (DAYS_BEFORE - 2) * 24
_COARSE_HOURS = 6


@dataclass
class Drawing:
    """One world being drawn."""

    world: World
    label_errors: float = 0.0

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.world.seed)
        self.onset = DAYS_BEFORE * 24 + float(self.rng.uniform(6, 18))

    def instant(self, hour: float) -> datetime:
        """The instant so many hours after the onset, to the second."""
        return START + timedelta(seconds=round((self.onset + hour) * 3600))

    def onset_at(self) -> datetime:
        """When the scenario's event begins."""
        return self.instant(0)

    @cached_property
    def hours(self) -> Floats:
        """The middle of each hour, in hours from the onset."""
        return np.arange(_HOURS, dtype=np.float64) + 0.5 - np.float64(self.onset)

    @cached_property
    def releases(self) -> tuple[tuple[str, Release], ...]:
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
            shares = np.zeros((_HOURS, len(own)))
            left = np.ones(_HOURS)
            for place in range(len(own) - 1, -1, -1):
                release = own[place][1]
                days = np.maximum(self.hours - release.hour, 0.0) / 24
                reached = release.reach * (1 - 0.95 * np.exp(-days / _UPDATE_DAYS[platform]) - 0.05 * np.exp(-days / 9))
                shares[:, place] = left * (reached if place else 1.0)
                left = left - shares[:, place]
            shares[shares < 0.015] = 0.0
            adoption[platform] = tuple(version for version, _ in own), shares / shares.sum(axis=1, keepdims=True)
        return adoption

    def strength(self, trouble: Trouble) -> Floats:
        """How strongly a trouble acts where it acts, by hour, 0 to 1."""
        since = self.hours - trouble.start
        level = (since > 0) & (self.hours < (trouble.end if trouble.end is not None else np.inf))
        grown = np.clip(since / trouble.grows, 0, 1) if trouble.grows else np.ones(_HOURS)
        strength: Floats = level * grown
        return strength

    def share(self, trouble: Trouble) -> Floats:
        """The share of its platform's people whom a trouble can reach, by hour."""
        if trouble.release is None:
            return np.ones(_HOURS)
        versions, shares = self.adoption[trouble.release.platform]
        return shares[:, versions.index(self.version_of(trouble.release))]

    @cached_property
    def crowd(self) -> Floats:
        """People, 1.0 on average when quiet: day and night, weekdays, slow growth, crowds."""
        number = np.arange(_HOURS)
        level: Floats = _HOURS_OF_DAY[number % 24] / _HOURS_OF_DAY.mean() * _WEEKDAYS[number // 24 % 7]
        level = level * (1 + 0.001 * number / 24)
        for one in self.world.plot.crowds:
            level = np.where((self.hours >= one.start) & (self.hours < one.end), level * one.factor, level)
        if self.world.plot.quirk == "new_locale":
            level = np.where(self.hours > 0, level * 1.4, level)
        return level

    # ---------------------------------------------------------------- feedback

    @cached_property
    def feedback(self) -> pl.DataFrame:
        """What is said, with the label of each piece: the columns of both lake tables that matter."""
        pieces = [self._usual(), *(self._complaints(one) for one in self.world.plot.troubles)]
        said = pl.concat([piece for piece in pieces if piece.height] or pieces[:1])
        said = self._quirky(said)
        product = self.world.product
        return said.with_columns(
            pl.lit(product).alias("product"),
            pl.format("{}-{}", pl.lit(product), pl.int_range(pl.len())).alias("feedback_id"),
            pl.when(pl.col("told") >= 0).then(pl.format("{}-first-{}", pl.lit(product), "told")).alias("duplicate_of"),
        ).filter(pl.col("known_at") < START + timedelta(hours=_HOURS))

    def _usual(self) -> pl.DataFrame:
        """What people always say, and more of it in a crowd."""
        mix = np.array(list(_MIX.values())) * self.rng.lognormal(0, 0.25, len(TYPES))
        level = self.rng.gamma(1 / _DISPERSION**2, _DISPERSION**2, (_HOURS // 24 + 1, len(TYPES)))
        rate = self.world.per_day / 24 * np.outer(self.crowd, mix / mix.sum()) * level[np.arange(_HOURS) // 24]
        for crowd in self.world.plot.crowds:
            during = (self.hours >= crowd.start) & (self.hours < crowd.end)
            for issue_type, factor in crowd.talk.items():
                rate[during, TYPES.index(issue_type)] *= factor
        return self._said(self.rng.poisson(rate), None)

    def _complaints(self, trouble: Trouble) -> pl.DataFrame:
        """What a trouble adds."""
        rate = self.world.per_day / 24 * trouble.lift * self.crowd * self.strength(trouble) * self.share(trouble)
        counts = np.zeros((_HOURS, len(TYPES)), dtype=np.int64)
        counts[:, TYPES.index(trouble.issue_type)] = self.rng.poisson(rate)
        return self._said(counts, trouble)

    def _said(self, counts: Ints, trouble: Trouble | None) -> pl.DataFrame:
        rng = self.rng
        hour, kind = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))
        size = len(hour)
        platform = rng.choice(len(PLATFORMS), size, p=list(PLATFORMS.values()))
        country = rng.choice(len(COUNTRIES), size, p=list(COUNTRIES.values()))
        names, places = np.array(list(PLATFORMS)), np.array([*COUNTRIES, NEW_COUNTRY])
        where = trouble and (trouble.platform or (trouble.release and trouble.release.platform))
        if where:
            platform[:] = list(PLATFORMS).index(where)
        if trouble and trouble.country:
            country[:] = list(COUNTRIES).index(trouble.country)
        if self.world.plot.quirk == "new_locale" and trouble is None:
            country[(self.hours[hour] > 0) & (rng.random(size) < 0.3)] = len(COUNTRIES)
        version = self._versions(hour, platform, trouble)
        channel = rng.choice(list(_CHANNELS), size, p=list(_CHANNELS.values()))
        if trouble and trouble.channel:
            channel[:] = trouble.channel
        silent = rng.random(size) < np.where(channel == "app_review", 0.15, 0.5)
        brigade = bool(trouble and trouble.copies)
        occurred = (hour * 3600 + rng.integers(0, 3600, size)) * 1_000_000
        lag = np.minimum(rng.exponential(2.0 * 3600, size), 36 * 3600).astype(np.int64) * 1_000_000
        ratings = np.array([_RATINGS.get(name, 1.0) for name in TYPES])
        told = np.where(rng.random(size) < (trouble.copies if trouble else 0.0), rng.integers(0, 5, size), -1)
        return pl.DataFrame(
            {
                "issue_type": np.array(TYPES)[kind],
                "channel": channel,
                "platform": pl.Series(names[platform]).set(pl.Series(rng.random(size) < 0.1), None),
                "country": places[country],
                "app_version": pl.Series(version).set(pl.Series(silent | brigade), None),
                "rating": np.where(channel == "app_review", ratings[kind], np.nan),
                "occurred_at": _instants(occurred),
                "known_at": _instants(occurred + lag),
                "told": told,
                "is_caused": np.full(size, trouble is not None),
            }
        )

    def _versions(self, hour: Ints, platform: Ints, trouble: Trouble | None) -> npt.NDArray[np.str_]:
        """The version each writer runs: that of the trouble's release, else by adoption."""
        drawn, chosen = self.rng.random(len(hour)), np.empty(len(hour), dtype=object)
        for number, name in enumerate(PLATFORMS):
            versions, shares = self.adoption[name]
            here = np.flatnonzero(platform == number)
            ladder = np.cumsum(shares, axis=1)
            ladder[:, -1] = 1.0
            chosen[here] = np.array(versions, dtype=object)[(drawn[here, None] >= ladder[hour[here]]).sum(axis=1)]
        if trouble and trouble.release:
            chosen[:] = self.version_of(trouble.release)
        return chosen.astype(str)

    def _quirky(self, said: pl.DataFrame) -> pl.DataFrame:
        """The quirks of the way in: wrong labels, old rows, copies, wrong clocks."""
        rng, onset, quirk = self.rng, self.onset_at(), self.world.plot.quirk
        if quirk == "classifier_drift":
            wrong = (pl.col("known_at") >= onset) & pl.col("issue_type").is_in(["praise", "other", "feature_request"])
            victim = list(BREAKABLE)[rng.integers(len(BREAKABLE))]
            taken = wrong & pl.Series(rng.random(said.height) < 1 / 6)
            said = said.with_columns(pl.when(taken).then(pl.lit(victim)).otherwise("issue_type").alias("issue_type"))
        if quirk == "clock_skew":
            off = timedelta(hours=float(rng.uniform(-9, 9)))
            skewed = pl.when(pl.col("platform") == "android").then(pl.col("occurred_at") + off)
            said = said.with_columns(skewed.otherwise("occurred_at").alias("occurred_at"))
        if quirk == "duplicates":
            recent = said.filter(pl.col("known_at").is_between(onset - timedelta(days=3), onset))
            again = recent.sample(fraction=0.5, seed=self.world.seed).with_columns(
                pl.lit(onset + timedelta(minutes=30)).cast(INSTANT).alias("known_at"),
                pl.int_range(pl.len()).alias("told"),
            )
            said = pl.concat([said, again])
        if quirk == "backfill":
            old = said.filter(~pl.col("is_caused"))
            back = pl.Series(rng.integers(40, 180, old.height) * 86_400_000_000).cast(pl.Duration("us"))
            night = pl.Series(rng.integers(0, 4 * 3_600_000_000, old.height)).cast(pl.Duration("us"))
            loaded = old.with_columns(
                occurred_at=pl.col("occurred_at") - back, known_at=pl.lit(onset).cast(INSTANT) + night
            )
            said = pl.concat([said, loaded])
        if self.label_errors:
            guess = pl.Series(np.array(TYPES)[rng.integers(0, len(TYPES), said.height)])
            mistaken = pl.Series(rng.random(said.height) < self.label_errors)
            said = said.with_columns(pl.when(mistaken).then(guess).otherwise("issue_type").alias("issue_type"))
        return said

    # --------------------------------------------------------------- telemetry

    @cached_property
    def _buckets(self) -> Ints:
        """The first hour of each bucket: hourly around the onset, six hours long before."""
        return np.concatenate([np.arange(0, _FINE_FROM, _COARSE_HOURS), np.arange(_FINE_FROM, _HOURS)])

    def _bucket_rows(self, names: dict[str, str], **hourly: Ints) -> pl.DataFrame:
        """Hourly counts, one row per bucket of telemetry, known minutes or half a day after the bucket's end."""
        first = self._buckets
        columns = {name: np.add.reduceat(values, first) for name, values in hourly.items()}
        last = np.append(first[1:], _HOURS)
        delay = 12 * 3600 if self.world.plot.quirk == "telemetry_late" else 240
        frame = pl.DataFrame({"bucket_start": _instants(first * 3_600_000_000), **columns})
        constants = {name: pl.lit(value) for name, value in {**names, "product": self.world.product}.items()}
        return frame.with_columns(known_at=_instants((last * 3600 + delay) * 1_000_000), **constants)

    @property
    def _visits(self) -> Floats:
        return self.world.per_day * _VISITS_PER_FEEDBACK / 24 * self.crowd

    @cached_property
    def service_metrics(self) -> pl.DataFrame:
        """Requests and errors by service, platform and version."""
        pieces = []
        for service, calls in _CALLS.items():
            for platform, weight in PLATFORMS.items():
                versions, shares = self.adoption[platform]
                for number, version in enumerate(versions):
                    people = self._visits * weight * shares[:, number] * calls
                    if not people.any():
                        continue
                    rate = np.full(_HOURS, _BASE_ERRORS[service])
                    for trouble in self.world.plot.troubles:
                        if self._harms(trouble, service, platform, version):
                            rate = rate + (trouble.error_rate or 0.0) * self.strength(trouble)
                    requests = self.rng.poisson(people)
                    errors = self.rng.binomial(requests, np.minimum(rate, 1.0))
                    names = {"service": service, "platform": platform, "app_version": version}
                    pieces.append(self._bucket_rows(names, requests=requests, errors=errors))
        return pl.concat(pieces).filter(pl.col("requests") > 0)

    def _harms(self, trouble: Trouble, service: str, platform: str, version: str) -> bool:
        if trouble.error_rate is None or BREAKABLE[trouble.issue_type].service != service:
            return False
        if trouble.release is not None:
            return trouble.release.platform == platform and self.version_of(trouble.release) == version
        return trouble.platform in (None, platform)

    @cached_property
    def funnel_metrics(self) -> pl.DataFrame:
        """People who entered and completed each step, by platform."""
        pieces = []
        for step, (share, completes) in _FUNNEL.items():
            for platform, weight in PLATFORMS.items():
                entered = self.rng.poisson(self._visits * weight * share)
                left = np.ones(_HOURS)
                for trouble in self.world.plot.troubles:
                    if trouble.left < 1 and BREAKABLE[trouble.issue_type].step == step:
                        where = trouble.release.platform if trouble.release else trouble.platform
                        if where in (None, platform):
                            left = left * (1 - (1 - trouble.left) * self.strength(trouble) * self.share(trouble))
                completed = self.rng.binomial(entered, completes * left)
                names = {"step": step, "platform": platform}
                pieces.append(self._bucket_rows(names, entered=entered, completed=completed))
        return pl.concat(pieces).filter(pl.col("entered") > 0)

    @cached_property
    def orders(self) -> pl.DataFrame:
        """One row for each completed order."""
        done = self.funnel_metrics.filter(pl.col("step") == "order").select("bucket_start", "known_at", "completed")
        rows = done.select(pl.exclude("completed").repeat_by("completed").list.explode())
        return rows.rename({"bucket_start": "ordered_at"}).with_columns(
            pl.concat_str(pl.lit(f"{self.world.product}-o"), pl.int_range(pl.len()).cast(pl.String)).alias("order_id"),
            pl.lit(self.world.product).alias("product"),
            pl.Series("amount", np.round(self.rng.lognormal(3.6, 0.6, rows.height), 2)),
        )

    # ----------------------------------------------------------------- changes

    @cached_property
    def release_rows(self) -> pl.DataFrame:
        """Every release of the product."""
        return pl.DataFrame(
            [
                {
                    "release_id": f"{self.world.product}:{version}",
                    "product": self.world.product,
                    "version": version,
                    "platform": one.platform,
                    "deployed_at": self.instant(one.hour),
                    "known_at": self.instant(one.hour) + timedelta(minutes=5),
                    "rollout_percent": 100.0 * one.reach,
                }
                for version, one in self.releases
            ]
        )

    @cached_property
    def flag_rows(self) -> pl.DataFrame:
        """Every switch of a flag: the plot's, and a harmless one about every five days."""
        own = [one for one in self.world.plot.changes if isinstance(one, Flag)]
        first = -float(self.rng.uniform(300, 420))
        harmless = [Flag(f"trial_{number}", first + 120 * number) for number in range(4)]
        flags = [*own, *(one for one in harmless if not any(abs(one.hour - other.hour) < 24 for other in own))]
        return pl.DataFrame(
            [
                {
                    "flag_key": one.key,
                    "product": self.world.product,
                    "changed_at": self.instant(one.hour),
                    "known_at": self.instant(one.hour) + timedelta(minutes=5),
                    "enabled": True,
                }
                for one in flags
            ]
        )

    @cached_property
    def campaign_rows(self) -> pl.DataFrame:
        """Announced campaigns; a crowd may come without one."""
        schema = {"campaign_id": pl.String, "product": pl.String, "kind": pl.String}
        instants = {"started_at": INSTANT, "ended_at": INSTANT, "known_at": INSTANT}
        return pl.DataFrame(
            [
                {
                    "campaign_id": f"{self.world.product}:{crowd.campaign}",
                    "product": self.world.product,
                    "kind": crowd.campaign,
                    "started_at": self.instant(crowd.start),
                    "ended_at": self.instant(crowd.end),
                    "known_at": self.instant(crowd.start - 24),
                }
                for crowd in self.world.plot.crowds
                if crowd.campaign
            ],
            schema={**schema, **instants},
        )


def _instants(microseconds: Ints) -> pl.Series:
    """Instants from microseconds since the story's start."""
    return pl.Series(microseconds + int(START.timestamp()) * 1_000_000).cast(INSTANT)

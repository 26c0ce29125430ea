"""Rows of feedback with their true label, except for a share of random label errors."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from dagster_project.lake_tables import INSTANT
from dagster_project.simulation.shop.story import COUNTRIES, PLATFORMS
from dagster_project.simulation.worlds.scenario import BREAKABLE, NEW_COUNTRY, Trouble
from dagster_project.simulation.worlds.timeline import HOURS, START, Ints, Timeline, instants

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
_DISPERSION = 0.2
"""Over-dispersion: relative standard deviation of the daily rate of each issue type."""


def feedback(timeline: Timeline, label_errors: float = 0.0) -> pl.DataFrame:
    """Rows of ``feedback`` and ``labels`` together: the relevant columns of both lake tables."""
    pieces = [_background(timeline), *(_complaints(timeline, one) for one in timeline.world.plot.troubles)]
    rows = pl.concat([piece for piece in pieces if piece.height] or pieces[:1])
    rows = _with_quirks(timeline, rows, label_errors)
    product = timeline.world.product
    return rows.with_columns(
        pl.lit(product).alias("product"),
        pl.format("{}-{}", pl.lit(product), pl.int_range(pl.len())).alias("feedback_id"),
        pl.when(pl.col("copy_of") >= 0)
        .then(pl.format("{}-first-{}", pl.lit(product), "copy_of"))
        .alias("duplicate_of"),
    ).filter(pl.col("known_at") < START + timedelta(hours=HOURS))


def _background(timeline: Timeline) -> pl.DataFrame:
    """Background feedback, scaled by crowds."""
    mix = np.array(list(_MIX.values())) * timeline.rng.lognormal(0, 0.25, len(TYPES))
    level = timeline.rng.gamma(1 / _DISPERSION**2, _DISPERSION**2, (HOURS // 24 + 1, len(TYPES)))
    rate = timeline.world.per_day / 24 * np.outer(timeline.crowd, mix / mix.sum()) * level[np.arange(HOURS) // 24]
    for crowd in timeline.world.plot.crowds:
        during = (timeline.hours >= crowd.start) & (timeline.hours < crowd.end)
        for issue_type, factor in crowd.talk.items():
            rate[during, TYPES.index(issue_type)] *= factor
    return _drawn(timeline, timeline.rng.poisson(rate), None)


def _complaints(timeline: Timeline, trouble: Trouble) -> pl.DataFrame:
    """Complaints caused by a trouble."""
    rate = (
        timeline.world.per_day
        / 24
        * trouble.lift
        * timeline.crowd
        * timeline.strength(trouble)
        * timeline.share(trouble)
    )
    counts = np.zeros((HOURS, len(TYPES)), dtype=np.int64)
    counts[:, TYPES.index(trouble.issue_type)] = timeline.rng.poisson(rate)
    return _drawn(timeline, counts, trouble)


def _drawn(timeline: Timeline, counts: Ints, trouble: Trouble | None) -> pl.DataFrame:
    """Draw the attributes of each piece, from counts of shape (hours, types)."""
    rng = timeline.rng
    hour, kind = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))
    size = len(hour)
    platform = rng.choice(len(PLATFORMS), size, p=list(PLATFORMS.values()))
    country = rng.choice(len(COUNTRIES), size, p=list(COUNTRIES.values()))
    names, places = np.array(list(PLATFORMS)), np.array([*COUNTRIES, NEW_COUNTRY])
    if trouble and trouble.release:
        platform[:] = list(PLATFORMS).index(trouble.release.platform)
    if timeline.world.plot.quirk == "new_locale" and trouble is None:
        country[(timeline.hours[hour] > 0) & (rng.random(size) < 0.3)] = len(COUNTRIES)
    version = _versions(timeline, hour, platform, trouble)
    channel = rng.choice(list(_CHANNELS), size, p=list(_CHANNELS.values()))
    if trouble and trouble.channel:
        channel[:] = trouble.channel
    if trouble and trouble.by_one_customer and size:
        channel = np.array(list(_CHANNELS))[np.arange(size) % len(_CHANNELS)]
        platform[:], country[:], version[:] = platform[0], country[0], version[0]
    silent = rng.random(size) < np.where(channel == "app_review", 0.15, 0.5)
    brigade = bool(trouble and trouble.copies)
    occurred = (hour * 3600 + rng.integers(0, 3600, size)) * 1_000_000
    lag = np.minimum(rng.exponential(2.0 * 3600, size), 36 * 3600).astype(np.int64) * 1_000_000
    ratings = np.array([_RATINGS.get(name, 1.0) for name in TYPES])
    copy_of = np.where(rng.random(size) < (trouble.copies if trouble else 0.0), rng.integers(0, 5, size), -1)
    return pl.DataFrame(
        {
            "issue_type": np.array(TYPES)[kind],
            "channel": channel,
            "platform": pl.Series(names[platform]).set(pl.Series(rng.random(size) < 0.1), None),
            "country": places[country],
            "app_version": pl.Series(version).set(pl.Series(silent | brigade), None),
            "rating": pl.Series(ratings[kind]).set(pl.Series(channel != "app_review"), None),
            "occurred_at": instants(occurred),
            "known_at": instants(occurred + lag),
            "copy_of": copy_of,
            "is_caused": np.full(size, trouble is not None),
        }
    )


def _versions(timeline: Timeline, hour: Ints, platform: Ints, trouble: Trouble | None) -> npt.NDArray[np.str_]:
    """App version of each writer: that of the trouble's release, else drawn by adoption."""
    drawn, chosen = timeline.rng.random(len(hour)), np.empty(len(hour), dtype=object)
    for number, name in enumerate(PLATFORMS):
        versions, shares = timeline.adoption[name]
        here = np.flatnonzero(platform == number)
        ladder = np.cumsum(shares, axis=1)
        ladder[:, -1] = 1.0
        chosen[here] = np.array(versions, dtype=object)[(drawn[here, None] >= ladder[hour[here]]).sum(axis=1)]
    if trouble and trouble.release:
        chosen[:] = timeline.version_of(trouble.release)
    return chosen.astype(str)


def _with_quirks(timeline: Timeline, rows: pl.DataFrame, label_errors: float) -> pl.DataFrame:
    """Apply data faults: wrong labels, backfills, duplicates, clock skew."""
    rng, onset, quirk = timeline.rng, timeline.onset_at(), timeline.world.plot.quirk
    if quirk == "classifier_drift":
        wrong = (pl.col("known_at") >= onset) & pl.col("issue_type").is_in(["praise", "other", "feature_request"])
        victim = list(BREAKABLE)[rng.integers(len(BREAKABLE))]
        taken = wrong & pl.Series(rng.random(rows.height) < 1 / 6)
        rows = rows.with_columns(pl.when(taken).then(pl.lit(victim)).otherwise("issue_type").alias("issue_type"))
    if quirk == "clock_skew":
        off = timedelta(hours=float(rng.uniform(-9, 9)))
        skewed = pl.when(pl.col("platform") == "android").then(pl.col("occurred_at") + off)
        rows = rows.with_columns(skewed.otherwise("occurred_at").alias("occurred_at"))
    if quirk == "duplicates":
        recent = rows.filter(pl.col("known_at").is_between(onset - timedelta(days=3), onset))
        again = recent.sample(fraction=0.5, seed=timeline.world.seed).with_columns(
            pl.lit(onset + timedelta(minutes=30)).cast(INSTANT).alias("known_at"),
            pl.int_range(pl.len()).alias("copy_of"),
        )
        rows = pl.concat([rows, again])
    if quirk == "backfill":
        old = rows.filter(~pl.col("is_caused"))
        back = pl.Series(rng.integers(40, 180, old.height) * 86_400_000_000).cast(pl.Duration("us"))
        night = pl.Series(rng.integers(0, 4 * 3_600_000_000, old.height)).cast(pl.Duration("us"))
        loaded = old.with_columns(
            occurred_at=pl.col("occurred_at") - back, known_at=pl.lit(onset).cast(INSTANT) + night
        )
        rows = pl.concat([rows, loaded])
    if label_errors:
        guess = pl.Series(np.array(TYPES)[rng.integers(0, len(TYPES), rows.height)])
        mistaken = pl.Series(rng.random(rows.height) < label_errors)
        rows = rows.with_columns(pl.when(mistaken).then(guess).otherwise("issue_type").alias("issue_type"))
    return rows

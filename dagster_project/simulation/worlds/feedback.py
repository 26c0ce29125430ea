"""What is said in a world, with the label that a perfect classifier would give it, but for random errors."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from dagster_project.lake import INSTANT
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
"""Standard deviation of a day's level of each issue type against its mean, beyond chance."""


def feedback(timeline: Timeline, label_errors: float = 0.0) -> pl.DataFrame:
    """What is said, with the label of each piece: the columns of both lake tables that matter."""
    pieces = [_usual(timeline), *(_complaints(timeline, one) for one in timeline.world.plot.troubles)]
    said = pl.concat([piece for piece in pieces if piece.height] or pieces[:1])
    said = _quirky(timeline, said, label_errors)
    product = timeline.world.product
    return said.with_columns(
        pl.lit(product).alias("product"),
        pl.format("{}-{}", pl.lit(product), pl.int_range(pl.len())).alias("feedback_id"),
        pl.when(pl.col("told") >= 0).then(pl.format("{}-first-{}", pl.lit(product), "told")).alias("duplicate_of"),
    ).filter(pl.col("known_at") < START + timedelta(hours=HOURS))


def _usual(timeline: Timeline) -> pl.DataFrame:
    """What people always say, and more of it in a crowd."""
    mix = np.array(list(_MIX.values())) * timeline.rng.lognormal(0, 0.25, len(TYPES))
    level = timeline.rng.gamma(1 / _DISPERSION**2, _DISPERSION**2, (HOURS // 24 + 1, len(TYPES)))
    rate = timeline.world.per_day / 24 * np.outer(timeline.crowd, mix / mix.sum()) * level[np.arange(HOURS) // 24]
    for crowd in timeline.world.plot.crowds:
        during = (timeline.hours >= crowd.start) & (timeline.hours < crowd.end)
        for issue_type, factor in crowd.talk.items():
            rate[during, TYPES.index(issue_type)] *= factor
    return _said(timeline, timeline.rng.poisson(rate), None)


def _complaints(timeline: Timeline, trouble: Trouble) -> pl.DataFrame:
    """What a trouble adds."""
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
    return _said(timeline, counts, trouble)


def _said(timeline: Timeline, counts: Ints, trouble: Trouble | None) -> pl.DataFrame:
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
            "rating": pl.Series(ratings[kind]).set(pl.Series(channel != "app_review"), None),
            "occurred_at": instants(occurred),
            "known_at": instants(occurred + lag),
            "told": told,
            "is_caused": np.full(size, trouble is not None),
        }
    )


def _versions(timeline: Timeline, hour: Ints, platform: Ints, trouble: Trouble | None) -> npt.NDArray[np.str_]:
    """The version each writer runs: that of the trouble's release, else by adoption."""
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


def _quirky(timeline: Timeline, said: pl.DataFrame, label_errors: float) -> pl.DataFrame:
    """The quirks of the way in: wrong labels, old rows, copies, wrong clocks."""
    rng, onset, quirk = timeline.rng, timeline.onset_at(), timeline.world.plot.quirk
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
        again = recent.sample(fraction=0.5, seed=timeline.world.seed).with_columns(
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
    if label_errors:
        guess = pl.Series(np.array(TYPES)[rng.integers(0, len(TYPES), said.height)])
        mistaken = pl.Series(rng.random(said.height) < label_errors)
        said = said.with_columns(pl.when(mistaken).then(guess).otherwise("issue_type").alias("issue_type"))
    return said

"""What is said in a world, with the label that a perfect classifier would give it, but for random errors."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from dagster_project.lake_tables import INSTANT
from dagster_project.simulation.shop.story import COUNTRIES, PLATFORMS
from dagster_project.simulation.worlds.scenario import BREAKABLE, NEW_COUNTRY, Trouble
from dagster_project.simulation.worlds.timeline import HOURS, START, Course, Ints, instants

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


def feedback(course: Course, label_errors: float = 0.0) -> pl.DataFrame:
    """What is said, with the label of each piece: the columns of both lake tables that matter."""
    pieces = [_usual(course), *(_complaints(course, one) for one in course.world.plot.troubles)]
    said = pl.concat([piece for piece in pieces if piece.height] or pieces[:1])
    said = _quirky(course, said, label_errors)
    product = course.world.product
    return said.with_columns(
        pl.lit(product).alias("product"),
        pl.format("{}-{}", pl.lit(product), pl.int_range(pl.len())).alias("feedback_id"),
        pl.when(pl.col("told") >= 0).then(pl.format("{}-first-{}", pl.lit(product), "told")).alias("duplicate_of"),
    ).filter(pl.col("known_at") < START + timedelta(hours=HOURS))


def _usual(course: Course) -> pl.DataFrame:
    """What people always say, and more of it in a crowd."""
    mix = np.array(list(_MIX.values())) * course.rng.lognormal(0, 0.25, len(TYPES))
    level = course.rng.gamma(1 / _DISPERSION**2, _DISPERSION**2, (HOURS // 24 + 1, len(TYPES)))
    rate = course.world.per_day / 24 * np.outer(course.crowd, mix / mix.sum()) * level[np.arange(HOURS) // 24]
    for crowd in course.world.plot.crowds:
        during = (course.hours >= crowd.start) & (course.hours < crowd.end)
        for issue_type, factor in crowd.talk.items():
            rate[during, TYPES.index(issue_type)] *= factor
    return _said(course, course.rng.poisson(rate), None)


def _complaints(course: Course, trouble: Trouble) -> pl.DataFrame:
    """What a trouble adds."""
    rate = course.world.per_day / 24 * trouble.lift * course.crowd * course.strength(trouble) * course.share(trouble)
    counts = np.zeros((HOURS, len(TYPES)), dtype=np.int64)
    counts[:, TYPES.index(trouble.issue_type)] = course.rng.poisson(rate)
    return _said(course, counts, trouble)


def _said(course: Course, counts: Ints, trouble: Trouble | None) -> pl.DataFrame:
    rng = course.rng
    hour, kind = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))
    size = len(hour)
    platform = rng.choice(len(PLATFORMS), size, p=list(PLATFORMS.values()))
    country = rng.choice(len(COUNTRIES), size, p=list(COUNTRIES.values()))
    names, places = np.array(list(PLATFORMS)), np.array([*COUNTRIES, NEW_COUNTRY])
    if trouble and trouble.release:
        platform[:] = list(PLATFORMS).index(trouble.release.platform)
    if course.world.plot.quirk == "new_locale" and trouble is None:
        country[(course.hours[hour] > 0) & (rng.random(size) < 0.3)] = len(COUNTRIES)
    version = _versions(course, hour, platform, trouble)
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


def _versions(course: Course, hour: Ints, platform: Ints, trouble: Trouble | None) -> npt.NDArray[np.str_]:
    """The version each writer runs: that of the trouble's release, else by adoption."""
    drawn, chosen = course.rng.random(len(hour)), np.empty(len(hour), dtype=object)
    for number, name in enumerate(PLATFORMS):
        versions, shares = course.adoption[name]
        here = np.flatnonzero(platform == number)
        ladder = np.cumsum(shares, axis=1)
        ladder[:, -1] = 1.0
        chosen[here] = np.array(versions, dtype=object)[(drawn[here, None] >= ladder[hour[here]]).sum(axis=1)]
    if trouble and trouble.release:
        chosen[:] = course.version_of(trouble.release)
    return chosen.astype(str)


def _quirky(course: Course, said: pl.DataFrame, label_errors: float) -> pl.DataFrame:
    """The quirks of the way in: wrong labels, old rows, copies, wrong clocks."""
    rng, onset, quirk = course.rng, course.onset_at(), course.world.plot.quirk
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
        again = recent.sample(fraction=0.5, seed=course.world.seed).with_columns(
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

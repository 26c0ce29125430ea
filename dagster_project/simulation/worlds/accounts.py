"""Accounts behind the feedback of a world: customers for support, chat and surveys, nobody known for the open web.

Drawn from a stream of their own, so that a world has the same rows with and without them.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from dagster_project.lake_tables import INSTANT
from dagster_project.simulation.worlds.timeline import START, Timeline

_ACCOUNT_CHANNELS = ("support_ticket", "chat", "nps")
_CUSTOMERS_PER_FEEDBACK = 60


def signed(timeline: Timeline, feedback: pl.DataFrame) -> pl.DataFrame:
    """Feedback with ``customer_id``: set on channels that need an account, null on the open web."""
    rng = np.random.default_rng([timeline.world.seed, 1])
    drawn = pl.Series(rng.integers(0, _size(timeline), feedback.height))
    if any(trouble.by_one_customer for trouble in timeline.world.plot.troubles):
        drawn = drawn.set(feedback["is_caused"], 0)
    name = pl.format("{}-c{}", pl.lit(timeline.world.product), drawn)
    has_account = pl.col("channel").is_in(_ACCOUNT_CHANNELS)
    return feedback.with_columns(customer_id=pl.when(has_account).then(name))


def customers(timeline: Timeline) -> pl.DataFrame:
    """Rows of ``customers``: everybody with an account, known since before the world begins."""
    return pl.DataFrame({"number": range(_size(timeline))}).select(
        pl.format("{}-c{}", pl.lit(timeline.world.product), "number").alias("customer_id"),
        pl.lit(START - timedelta(days=1)).cast(INSTANT).alias("known_at"),
        pl.lit("standard").alias("segment"),
    )


def _size(timeline: Timeline) -> int:
    return max(100, round(_CUSTOMERS_PER_FEEDBACK * timeline.world.per_day))

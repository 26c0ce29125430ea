"""Forged signals in a world: made-up feedback, bad requests, abandoned checkouts.

A forger needs no account: fakes are reviews by strangers (or by accounts that nobody knows), bad requests carry any
version in their header, bots enter a step of the journey and leave. Everything a forger does adds rows or counts;
nothing takes a real customer's row away.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from dagster_project.lake_tables import INSTANT
from dagster_project.simulation.worlds.simulate import Simulation

_LAG = timedelta(minutes=20)


@dataclass(frozen=True)
class Attack:
    """Forged signals of one attack, from ``start`` to ``end`` in hours from the onset.

    ``fakes`` are pieces of feedback of ``issue_type`` that name ``platform`` and ``version``; with ``accounts`` each
    names a customer id that no table of customers knows. ``bad_requests`` fail on ``service``, all on that platform
    and version; ``abandoned`` visitors enter ``step`` there and leave; ``completed`` ones complete it elsewhere.
    """

    issue_type: str
    fakes: int = 0
    platform: str | None = None
    version: str | None = None
    start: float = 0.0
    end: float = 12.0
    channel: str = "app_review"
    accounts: bool = False
    bad_requests: int = 0
    service: str = ""
    abandoned: int = 0
    completed: int = 0
    step: str = ""


def forge(simulation: Simulation, attack: Attack) -> None:
    """Add the rows and counts of an attack to a world."""
    rows = simulation.rows
    if attack.fakes:
        fakes = _fakes(simulation, attack).select(rows["feedback"].columns)
        rows["feedback"] = pl.concat([rows["feedback"], fakes.cast(rows["feedback"].schema)])
    if attack.bad_requests:
        counts = {"requests": attack.bad_requests, "errors": attack.bad_requests}
        here = (pl.col("service") == attack.service) & _of(attack.platform, attack.version)
        rows["service_metrics"] = _added(simulation, attack, "service_metrics", here, counts)
    if attack.abandoned:
        here = (pl.col("step") == attack.step) & _of(attack.platform, None)
        rows["funnel_metrics"] = _added(simulation, attack, "funnel_metrics", here, {"entered": attack.abandoned})
    if attack.completed:
        beside = (pl.col("step") == attack.step) & (pl.col("platform") != attack.platform)
        counts = {"entered": attack.completed, "completed": attack.completed}
        rows["funnel_metrics"] = _added(simulation, attack, "funnel_metrics", beside, counts)


def _fakes(simulation: Simulation, attack: Attack) -> pl.DataFrame:
    """Rows of made-up feedback, evenly over the time of the attack."""
    product, number = simulation.world.product, pl.int_range(attack.fakes)
    hours = np.linspace(attack.start, attack.end, attack.fakes, endpoint=False)
    written = pl.Series([simulation.instant(hour) for hour in hours]).cast(INSTANT)
    stranger = pl.format("{}-stranger{}", pl.lit(product), number) if attack.accounts else pl.lit(None, pl.String)
    like = simulation.rows["feedback"]
    named: dict[str, pl.Expr | pl.Series] = {
        "feedback_id": pl.format("{}-fake{}", pl.lit(product), number),
        "product": pl.lit(product),
        "issue_type": pl.lit(attack.issue_type),
        "channel": pl.lit(attack.channel),
        "platform": pl.lit(attack.platform, pl.String),
        "country": _any_country(attack.fakes),
        "app_version": pl.lit(attack.version, pl.String),
        "rating": pl.lit(1.0 if attack.channel == "app_review" else None, pl.Float64),
        "occurred_at": written,
        "known_at": written + _LAG,
        "customer_id": stranger,
        "is_caused": pl.lit(False),
        "copy_of": pl.lit(-1),
    }
    rest = {name: pl.lit(None, dtype=kind) for name, kind in like.schema.items() if name not in named}
    return pl.DataFrame({"number": range(attack.fakes)}).select(**named, **rest)


def _any_country(size: int) -> pl.Series:
    return pl.Series([("DE", "US", "GB", "FR")[place % 4] for place in range(size)])


def _of(platform: str | None, version: str | None) -> pl.Expr:
    """Rows of one platform and version; of all where none is given."""
    wanted = {"platform": platform, "app_version": version}
    return pl.all_horizontal(pl.lit(True), *(pl.col(name) == value for name, value in wanted.items() if value))


def _added(simulation: Simulation, attack: Attack, table: str, here: pl.Expr, counts: dict[str, int]) -> pl.DataFrame:
    """A telemetry table with counts added to its buckets of the attack, as evenly as whole numbers allow."""
    rows = simulation.rows[table].with_row_index("place")
    first, last = simulation.instant(attack.start), simulation.instant(attack.end)
    hit = rows.filter(here, pl.col("bucket_start").is_between(first, last))["place"]
    if not hit.len():
        raise ValueError(f"{simulation.world.product}: no bucket of {table} to add {counts} to")
    for name, count in counts.items():
        share = np.zeros(rows.height, dtype=np.int64)
        share[hit.to_numpy()] = count // hit.len()
        share[hit.to_numpy()[: count % hit.len()]] += 1
        rows = rows.with_columns(pl.col(name) + pl.Series(share))
    return rows.drop("place")

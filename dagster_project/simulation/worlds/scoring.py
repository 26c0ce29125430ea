"""Scoring: compare the decisions on each world with its truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from dagster_project.simulation.worlds.baselines import Alarms
from dagster_project.simulation.worlds.simulate import Simulation
from dagster_project.simulation.worlds.timeline import DAYS_AFTER, DAYS_BEFORE

_WARM_UP_DAYS = 7
MONTHS_PER_WORLD = (DAYS_BEFORE + DAYS_AFTER - _WARM_UP_DAYS) / 30
"""Observation time of a world for false alarms, in product-months."""


@dataclass(frozen=True)
class WorldOutcome:
    """Score of one world.

    ``delay_hours`` and ``complaints_before`` run from the onset to the first alarm of an expected type; None if missed.
    ``names_culprit`` is True if the last look named the guilty change (None: there is none). ``blames_innocent`` is
    True if any look named another change; ``false_rollbacks`` counts those with ``rollback_supported``.
    ``false_urgent`` counts issues of P1 or P2 without a reason in the plot.
    """

    scenario: str
    must_fire: bool
    delay_hours: float | None
    complaints_before: int | None
    names_culprit: bool | None
    blames_innocent: bool
    false_rollbacks: int
    false_urgent: int


def score_world(simulation: Simulation, own: pl.DataFrame) -> WorldOutcome:
    """Score one world from its issues at all looks (``runner.issues_at``)."""
    world, plot, onset = simulation.world, simulation.world.plot, simulation.onset_at()
    culprit = simulation.change_id(plot.culprit) if plot.culprit else None
    innocent = pl.col("suspect_release_id").is_not_null()
    if culprit:
        innocent = innocent & (pl.col("suspect_release_id") != culprit)
    right_type = pl.col("issue_type").is_in(plot.expected)
    true = own.filter(right_type, pl.col("detected_at") >= onset).sort("detected_at", "look")
    first: datetime | None = true["detected_at"][0] if true.height else None
    reasons = [*plot.expected, *plot.excused]
    reasonless = ~(pl.col("issue_type").is_in(reasons) & (pl.col("detected_at") >= onset - timedelta(hours=24)))
    urgent = own.filter(pl.col("status") == "open", pl.col("priority").is_in(["P1", "P2"]), reasonless)
    last = true.filter(pl.col("look") == pl.col("look").max(), pl.col("detected_at") == first) if true.height else true
    caused = simulation.rows["feedback"].filter(pl.col("is_caused"), right_type)
    return WorldOutcome(
        scenario=world.scenario,
        must_fire=world.must_fire,
        delay_hours=None if first is None else (first - onset) / timedelta(hours=1),
        complaints_before=None if first is None else caused.filter(pl.col("known_at") <= first).height,
        names_culprit=(last["suspect_release_id"] == culprit).any() if culprit and world.must_fire else None,
        blames_innocent=own.filter(innocent).height > 0,
        false_rollbacks=own.filter(innocent, pl.col("rollback_supported"))["suspect_release_id"].n_unique(),
        false_urgent=urgent["issue_id"].n_unique(),
    )


def score_worlds(simulations: Sequence[Simulation], issues: pl.DataFrame) -> list[WorldOutcome]:
    """Score every world."""
    return [score_world(simulation, own) for simulation, own in each(simulations, issues)]


def each(simulations: Sequence[Simulation], rows: pl.DataFrame) -> Iterator[tuple[Simulation, pl.DataFrame]]:
    """Pair every world with its rows of a mart."""
    parts = {product: part for (product,), part in rows.group_by("product", maintain_order=True)}
    for simulation in simulations:
        yield simulation, parts.get(simulation.world.product, rows.clear())


def score_rule_of_thumb(simulation: Simulation, raised: Alarms) -> WorldOutcome:
    """Score a baseline detector. It knows no issue types, so any alarm after a real onset counts as right."""
    world, plot = simulation.world, simulation.world.plot
    culprit = simulation.change_id(plot.culprit) if plot.culprit else None
    real = bool(plot.expected or plot.excused)
    after = [(hour, blamed) for hour, blamed in zip(raised.hours, raised.blamed, strict=True) if hour >= 0]
    reasonless = [
        hour for hour in raised.hours if hour > _WARM_UP_DAYS * 24 - simulation.onset and (hour < 0 or not real)
    ]
    first = raised.first_after if plot.expected else None
    caused = simulation.rows["feedback"].filter(pl.col("is_caused"), pl.col("issue_type").is_in(plot.expected))
    known = caused.filter(pl.col("known_at") <= simulation.instant(first or 0.0))
    return WorldOutcome(
        scenario=world.scenario,
        must_fire=world.must_fire,
        delay_hours=first,
        complaints_before=None if first is None else known.height,
        names_culprit=any(blamed == culprit for _, blamed in after) if culprit and world.must_fire else None,
        blames_innocent=any(blamed not in (None, culprit) for blamed in raised.blamed),
        false_rollbacks=len({blamed for blamed in raised.blamed if blamed not in (None, culprit)}),
        false_urgent=len(reasonless),
    )

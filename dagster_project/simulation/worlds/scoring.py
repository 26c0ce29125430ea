"""Scoring: compare the decisions on each world with its truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from dagster_project.simulation.worlds.baselines import Alarms, blamed
from dagster_project.simulation.worlds.simulate import Simulation
from dagster_project.simulation.worlds.timeline import DAYS_AFTER, DAYS_BEFORE, START

_WARM_UP_DAYS = 7
MONTHS_PER_WORLD = (DAYS_BEFORE + DAYS_AFTER - _WARM_UP_DAYS) / 30
"""Observation time of a world for false alarms, in product-months."""


@dataclass(frozen=True)
class WorldOutcome:
    """Score of one world.

    ``delay_hours`` and ``complaints_before`` run from the onset to the first alarm of an expected type; None if missed.
    ``names_culprit`` is True if the last look named the guilty change (None: there is none). ``blames_innocent`` is
    True if any look named another change; ``false_rollbacks`` counts those with ``rollback_supported``.
    ``false_urgent`` counts issues of P1 or P2 without a reason in the plot, ``false_alarms`` those of any priority.
    """

    scenario: str
    must_fire: bool
    delay_hours: float | None
    complaints_before: int | None
    names_culprit: bool | None
    blames_innocent: bool
    false_rollbacks: int
    false_urgent: int
    false_alarms: int


@dataclass(frozen=True)
class Trial:
    """One world, one detector and one threshold: delay and complaints as in ``WorldOutcome``, and reasonless alarms."""

    must_fire: bool
    delay_hours: float | None
    complaints_before: int | None
    false_alarms: int


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
    judged = pl.col("detected_at") > START + timedelta(days=_WARM_UP_DAYS)
    last = true.filter(pl.col("look") == pl.col("look").max(), pl.col("detected_at") == first) if true.height else true
    delay = None if first is None else (first - onset) / timedelta(hours=1)
    return WorldOutcome(
        scenario=world.scenario,
        must_fire=world.must_fire,
        delay_hours=delay,
        complaints_before=_complaints_by(simulation, delay),
        names_culprit=(last["suspect_release_id"] == culprit).any() if culprit and world.must_fire else None,
        blames_innocent=own.filter(innocent).height > 0,
        false_rollbacks=own.filter(innocent, pl.col("rollback_supported"))["suspect_release_id"].n_unique(),
        false_urgent=urgent["issue_id"].n_unique(),
        false_alarms=own.filter(reasonless, judged)["issue_id"].n_unique(),
    )


def _complaints_by(simulation: Simulation, hour: float | None) -> int | None:
    """Complaints of the expected failure that were known at an hour from the onset."""
    return None if hour is None else int(np.searchsorted(simulation.complained, hour, side="right"))


def score_worlds(simulations: Sequence[Simulation], issues: pl.DataFrame) -> list[WorldOutcome]:
    """Score every world."""
    return [score_world(simulation, own) for simulation, own in each(simulations, issues)]


def each(simulations: Sequence[Simulation], rows: pl.DataFrame) -> Iterator[tuple[Simulation, pl.DataFrame]]:
    """Pair every world with its rows of a mart."""
    parts = {product: part for (product,), part in rows.group_by("product", maintain_order=True)}
    for simulation in simulations:
        yield simulation, parts.get(simulation.world.product, rows.clear())


def trial(simulation: Simulation, raised: Alarms) -> Trial:
    """Score the alarms of a rival. It knows no issue types, so any alarm after a real onset counts as right."""
    plot = simulation.world.plot
    real = bool(plot.expected or plot.excused)
    watched_from = _WARM_UP_DAYS * 24 - simulation.onset
    reasonless = [hour for hour in raised.hours if hour > watched_from and (hour < 0 or not real)]
    first = raised.first_after if plot.expected else None
    return Trial(simulation.world.must_fire, first, _complaints_by(simulation, first), len(reasonless))


def score_rule_of_thumb(simulation: Simulation, raised: Alarms) -> WorldOutcome:
    """Score a rival and the releases that it blames."""
    world, plot = simulation.world, simulation.world.plot
    culprit = simulation.change_id(plot.culprit) if plot.culprit else None
    tried = trial(simulation, raised)
    named = [(hour, blamed(simulation, hour)) for hour in raised.hours]
    innocent = {name for _, name in named if name not in (None, culprit)}
    return WorldOutcome(
        scenario=world.scenario,
        must_fire=world.must_fire,
        delay_hours=tried.delay_hours,
        complaints_before=tried.complaints_before,
        names_culprit=(culprit in [name for hour, name in named if hour >= 0]) if culprit and world.must_fire else None,
        blames_innocent=bool(innocent),
        false_rollbacks=len(innocent),
        false_urgent=tried.false_alarms,
        false_alarms=tried.false_alarms,
    )

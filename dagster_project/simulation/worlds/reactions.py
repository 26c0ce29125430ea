"""Worlds that react to acts: a mitigation ends or eases what it is against, and the rows after it follow.

A world is simulated without any act. With an act it is the same world up to its instant, row for row. Of the
complaints afterwards that the trouble would have caused, those go that the act prevents, and no others change;
telemetry afterwards is drawn anew. So the difference between the two worlds is what the act has prevented.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl

from dagster_project.simulation.shop.story import PLATFORMS
from dagster_project.simulation.shop.traffic import SERVICES
from dagster_project.simulation.worlds import telemetry
from dagster_project.simulation.worlds.scenario import BREAKABLE, Flag, Rollout, Trouble
from dagster_project.simulation.worlds.simulate import Simulation
from dagster_project.simulation.worlds.timeline import HOURS, START, Floats, Timeline

Kind = Literal["flag off", "fallback", "halt", "roll back"]

TIERS: dict[Kind, int] = {"flag off": 1, "fallback": 1, "halt": 2, "roll back": 3}

_BACK_HOURS = 3.0
"""Hours in which all but 1/e of a version's people have gone back after a rollback."""


@dataclass(frozen=True)
class Act:
    """A mitigation in force: ``hour`` is from the onset; ``change`` is the flag's key, or the release's version."""

    kind: Kind
    hour: float
    change: str = ""

    @property
    def tier(self) -> int:
        """Its tier on the ladder."""
        return TIERS[self.kind]


@dataclass
class Reacting(Simulation):
    """A world in which these acts are in force; ``before`` is the world up to the last of them."""

    acts: tuple[Act, ...] = ()
    before: Simulation | None = None

    def strength(self, trouble: Trouble) -> Floats:
        """Strength of a trouble by hour, zero once an act has ended it."""
        strength = super().strength(trouble)
        for act in self.acts:
            if _ends(self, act, trouble):
                strength = strength * (self.hours < act.hour)
        return strength

    def _updated(self, release: Rollout) -> Floats:
        """Share of people that have a release: as it was when it was halted; ever smaller once it is rolled back."""
        reached = super()._updated(release)
        for act in self.acts:
            if act.change == self.version_of(release):
                since, held = self.hours - act.hour, float(np.interp(act.hour, self.hours, reached))
                left = np.exp(-np.maximum(since, 0) / _BACK_HOURS) if act.kind == "roll back" else np.ones(HOURS)
                reached = np.where(since > 0, np.minimum(reached, held * left), reached)
        return reached

    @cached_property
    def rows(self) -> dict[str, pl.DataFrame]:
        """Rows by lake table: those of the world before up to the last act, what follows from it afterwards."""
        if self.before is None:
            return self._drawn()
        kept, drawn = self.before.rows, self._drawn()
        instants = {"service_metrics": "bucket_start", "funnel_metrics": "bucket_start", "orders": "ordered_at"}
        return {
            **kept,
            "feedback": self._spared(self.before),
            **{table: self._joined(kept[table], drawn[table], at) for table, at in instants.items() if table in kept},
        }

    def _joined(self, kept: pl.DataFrame, drawn: pl.DataFrame, at: str) -> pl.DataFrame:
        cut = self.instant(self.acts[-1].hour)
        later = drawn.filter(pl.col(at) >= cut)
        if "order_id" in later.columns:
            later = later.with_columns(pl.col("order_id") + f"-{len(self.acts)}")
        return pl.concat([kept.filter(pl.col(at) < cut), later])

    def _spared(self, before: Simulation) -> pl.DataFrame:
        """Feedback of the world before, without the complaints that the last act prevents."""
        rows = before.rows["feedback"]
        drawn = pl.Series(np.random.default_rng([self.world.seed, 2, len(self.acts)]).random(rows.height))
        hour = ((rows["occurred_at"] - START).dt.total_seconds() // 3600).clip(0, HOURS - 1).to_numpy()
        spared = pl.Series(np.zeros(rows.height, dtype=bool))
        for issue_type in {trouble.issue_type for trouble in self.world.plot.troubles}:
            left = _caused(self, issue_type) / np.maximum(_caused(before, issue_type), 1e-12)
            spared = spared | ((rows["issue_type"] == issue_type) & (drawn >= pl.Series(left[hour])))
        since = rows["occurred_at"] >= self.instant(self.acts[-1].hour)
        return rows.filter(~(spared & since & rows["is_caused"]))


def react(simulation: Simulation, act: Act) -> Reacting:
    """The world from this act on."""
    earlier = simulation.acts if isinstance(simulation, Reacting) else ()
    return Reacting(simulation.world, simulation.label_errors, (*earlier, act), simulation)


def is_right(simulation: Simulation, act: Act) -> bool:
    """True if the act is against what is really to blame."""
    return any(_ends(simulation, act, trouble) or _eases(simulation, act, trouble) for trouble in _real(simulation))


@dataclass(frozen=True)
class Harm:
    """Harm of what must be found, from the onset to the end of the world.

    ``complaints`` are those that it caused, ``failed_requests`` the expected number of those that it failed.
    """

    complaints: int
    failed_requests: float


def harm_of(simulation: Simulation) -> Harm:
    """The harm that a world's expected issues did."""
    expected = simulation.world.plot.expected
    caused = simulation.rows["feedback"].filter("is_caused", pl.col("issue_type").is_in(expected))
    failed = sum(float(_failures(simulation, trouble).sum()) for trouble in _real(simulation))
    return Harm(caused.height, failed)


def _real(simulation: Simulation) -> Iterator[Trouble]:
    """The troubles that something may be done about: those of the expected issues, and of those that may open."""
    plot = simulation.world.plot
    return (trouble for trouble in plot.troubles if trouble.issue_type in (*plot.expected, *plot.excused))


def _ends(timeline: Timeline, act: Act, trouble: Trouble) -> bool:
    """True if an act ends a trouble everywhere at once: its flag is off, or its provider is left."""
    culprit = timeline.world.plot.culprit
    if trouble.release is not None:
        return False
    if isinstance(culprit, Flag):
        return act.kind == "flag off" and act.change == culprit.key
    return act.kind == "fallback" and trouble.issue_type == "payment_failure"


def _eases(timeline: Timeline, act: Act, trouble: Trouble) -> bool:
    """True if an act changes how many people have the release of a trouble."""
    releases = act.kind in ("halt", "roll back")
    return releases and trouble.release is not None and act.change == timeline.version_of(trouble.release)


def _caused(simulation: Simulation, issue_type: str) -> Floats:
    """Complaints of a type that are caused, by hour, as shares of a normal day's feedback."""
    caused = np.zeros(HOURS)
    for trouble in simulation.world.plot.troubles:
        if trouble.issue_type == issue_type:
            caused = caused + trouble.lift * simulation.strength(trouble) * simulation.share(trouble)
    return caused


def _failures(simulation: Simulation, trouble: Trouble) -> Floats:
    """Expected number of requests that a trouble fails, by hour."""
    service = BREAKABLE.get(trouble.counted_as or trouble.issue_type)
    if service is None:
        return np.zeros(HOURS)
    step, calls, *_ = SERVICES[service]
    weight = PLATFORMS[trouble.release.platform] if trouble.release else 1.0
    people = telemetry.people_by_step(simulation)[step] * weight * simulation.share(trouble)
    failed: Floats = people * calls * (trouble.error_rate or 0.0) * simulation.strength(trouble)
    return failed

"""Benchmark of forged signals: fakes needed to turn a decision, on worlds with a known truth.

    python -m benchmarks.manipulation --json now.json                  # measure this checkout: a few minutes
    python -m benchmarks.manipulation --json now.json --kept --before old.json --report reports/manipulation.md

Each goal of a forger is tried with more and more fakes, the worlds side by side as products of one build. For the
column "before", these files (``forger_goals``, ``manipulation_page`` and this one) and the same worlds run in a
checkout of the older code.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click
import polars as pl

from benchmarks.forger_goals import FAKES, GOALS, LOOKS, RATES, SEED
from benchmarks.manipulation_page import Row, picture, report
from dagster_project.decisioning.published import read_mart
from dagster_project.home import Home
from dagster_project.simulation.worlds import runner
from dagster_project.simulation.worlds.attacks import forge
from dagster_project.simulation.worlds.scenario import World
from dagster_project.simulation.worlds.simulate import Simulation

_BATCH = 100


@dataclass(frozen=True)
class Try:
    """One goal at one rate and number of fakes, and the product that stands for it."""

    goal: int
    rate: int
    fakes: int

    @property
    def product(self) -> str:
        """Name of the product."""
        return f"g{self.goal:02}-{self.rate:03}-{self.fakes:03}"

    def simulation(self) -> Simulation:
        """The world of the try, with its forged signals."""
        goal = GOALS[self.goal]
        world = World(self.product, goal.plot.__name__, False, SEED, float(self.rate), goal.plot(self.rate))
        simulation = Simulation(world)
        if self.fakes:
            forge(simulation, goal.attack(simulation, self.fakes))
        goal.prepare(simulation)
        return simulation


@dataclass(frozen=True)
class Outcome:
    """Outcome of a try; ``complaints`` are the real ones of the fault by the last look."""

    one: Try
    reached: bool
    complaints: int


def measure(goals: Sequence[int], fakes: Sequence[int] = FAKES) -> list[Outcome]:
    """Try each goal at every rate and number of fakes, about a hundred worlds in one lake."""
    tries = [Try(goal, rate, count) for goal in goals for rate in RATES for count in fakes]
    outcomes = []
    for start in range(0, len(tries), _BATCH):
        batch = tries[start : start + _BATCH]
        worlds = {one.product: one.simulation() for one in batch}
        issues, weighed = decided(list(worlds.values()))
        for one in batch:
            own, simulation = pl.col("product") == one.product, worlds[one.product]
            reached = GOALS[one.goal].reached(simulation, issues.filter(own), weighed.filter(own))
            caused = simulation.rows["feedback"].filter(pl.col("is_caused"), pl.col("known_at") <= LOOKS[-1])
            outcomes.append(Outcome(one, reached, caused.height))
        click.echo(f"{start + len(batch)} of {len(tries)} worlds", err=True)
    return outcomes


def decided(simulations: Sequence[Simulation], looks: Sequence[datetime] = LOOKS) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Issues and weighed changes at every look."""
    issues, weighed = [], []
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        runner.set_up(home, simulations)
        for look in runner.decisions(home, looks):
            at = runner.issues_at(home, look)
            changes = read_mart(home, "fct_release_correlation", ["issue_id", "change_id", "verdict"])
            issues.append(at)
            weighed.append(changes.join(at.select("issue_id", "product", "issue_type", "look"), on="issue_id"))
    return pl.concat(issues), pl.concat(weighed)


def needed(outcomes: Iterable[Outcome]) -> list[Row]:
    """Fewest fakes that reached each goal at each rate; None if none did."""
    rows: dict[tuple[int, int], Row] = {}
    for outcome in outcomes:
        goal, rate = outcome.one.goal, outcome.one.rate
        row = rows.setdefault((goal, rate), {"goal": GOALS[goal].name, "rate": rate, "fakes": None, "complaints": None})
        if outcome.reached:
            row["fakes"] = outcome.one.fakes if row["fakes"] is None else row["fakes"]
        if not outcome.one.fakes:
            row["complaints"] = outcome.complaints
    return list(rows.values())


@click.command()
@click.option("--json", "target", type=click.Path(path_type=Path), required=True, help="The measurements.")
@click.option("--goal", "goals", type=int, multiple=True, help="Number of a goal to measure; all without.")
@click.option("--before", type=click.Path(path_type=Path, exists=True), help="Measurements of an older checkout.")
@click.option("--report", "page", type=click.Path(path_type=Path), help="Page to write, beside its picture.")
@click.option("--again/--kept", default=True, help="Measure, or take the measurements that are there.")
def main(target: Path, goals: tuple[int, ...], before: Path | None, page: Path | None, *, again: bool) -> None:
    """Measure, and write the page."""
    if again:
        measured = needed(measure(goals or tuple(range(len(GOALS)))))
        target.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    rows = json.loads(target.read_text(encoding="utf-8"))
    for row in rows:
        click.echo(row)
    if page:
        old = json.loads(before.read_text(encoding="utf-8")) if before else []
        page.write_text(report(rows, old), encoding="utf-8")
        picture(rows, old, page.with_suffix(".svg"))


if __name__ == "__main__":
    main()

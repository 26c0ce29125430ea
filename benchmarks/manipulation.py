"""Benchmark of forged signals: fakes needed to turn a decision, on worlds with a known truth.

    python -m benchmarks.manipulation --json now.json                  # measure this checkout: a few minutes
    python -m benchmarks.manipulation --json now.json --kept --before old.json --report reports/manipulation.md

Each goal of a forger is tried with more and more fakes, the worlds side by side as products of one build. For the
column "before", the same file and the same worlds are run in a checkout of the older code.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click
import polars as pl

from dagster_project.decisioning.published import read_mart
from dagster_project.home import Home
from dagster_project.simulation.worlds import runner
from dagster_project.simulation.worlds.attacks import Attack, forge
from dagster_project.simulation.worlds.scenario import Plot, Rollout, Trouble, World
from dagster_project.simulation.worlds.simulate import Simulation

RATES = (10, 40, 100)
FAKES = (0, 5, 10, 20, 40, 70, 100)
SEED = 11
LOOKS = (runner.LOOKS[1], runner.LOOKS[2], runner.LOOKS[4])
_BATCH = 100
_ENOUGH = 8
"""Real complaints from which on a release must not be cleared (the playbook's ``min_evidence``)."""
_TIMES = 10
"""Bad requests and abandoned checkouts for each fake, where an attack has all three."""

Row = dict[str, object]


@dataclass(frozen=True)
class Goal:
    """Goal of a forger: the world, the attack with ``count`` fakes, and the test for its success.

    ``reached`` gets the world, its issues and its weighed changes at all looks.
    """

    name: str
    plot: Callable[[float], Plot]
    attack: Callable[[Simulation, int], Attack]
    reached: Callable[[Simulation, pl.DataFrame, pl.DataFrame], bool]
    prepare: Callable[[Simulation], None] = lambda _: None


def quiet(per_day: float) -> Plot:
    """Nothing is wrong; a harmless release went out six hours before the attack."""
    del per_day
    return Plot((Rollout("android", -6),))


def outage(per_day: float) -> Plot:
    """The payment provider fails for everybody, six hours after a harmless release."""
    del per_day
    trouble = Trouble("payment_failure", 0.5, end=60, error_rate=0.15, left=0.65)
    return Plot((Rollout("android", -6),), (trouble,), expected=("payment_failure",))


def guilty(per_day: float) -> Plot:
    """A release breaks the checkout on Android."""
    release = Rollout("android", 0)
    lift = max(0.5, 8 / per_day)
    trouble = Trouble("checkout_failure", lift, release=release, error_rate=0.2, left=0.6)
    return Plot((release,), (trouble,), culprit=release, expected=("checkout_failure",))


def version(simulation: Simulation) -> str:
    """Version of the plot's release."""
    return simulation.version_of(_release(simulation))


def _release(simulation: Simulation) -> Rollout:
    return next(one for one in simulation.world.plot.changes if isinstance(one, Rollout))


def _names(issues: pl.DataFrame, change: str) -> pl.DataFrame:
    return issues.filter(pl.col("suspect_release_id") == change)


def opens_p1(simulation: Simulation, issues: pl.DataFrame, weighed: pl.DataFrame) -> bool:
    """An open issue of the highest priority."""
    del simulation, weighed
    return issues.filter(pl.col("priority") == "P1", pl.col("status") == "open").height > 0


def names_innocent(simulation: Simulation, issues: pl.DataFrame, weighed: pl.DataFrame) -> bool:
    """The harmless release is named as the cause."""
    del weighed
    return _names(issues, simulation.change_id(_release(simulation))).height > 0


def supports_rollback(simulation: Simulation, issues: pl.DataFrame, weighed: pl.DataFrame) -> bool:
    """A rollback of whatever is named is supported; nothing in this world deserves it."""
    del simulation, weighed
    return issues.filter(pl.col("rollback_supported")).height > 0


def clears_guilty(simulation: Simulation, issues: pl.DataFrame, weighed: pl.DataFrame) -> bool:
    """The guilty release is cleared, or the whole issue, at a look at which enough real complaints were known."""
    own = (pl.col("issue_type") == "checkout_failure") & (pl.col("verdict") == "no_regression")
    caused = simulation.rows["feedback"].filter(pl.col("is_caused"))
    told = [look for look in LOOKS if caused.filter(pl.col("known_at") <= look).height >= _ENOUGH]
    its = own & (pl.col("change_id") == simulation.change_id(_release(simulation)))
    seen = pl.col("look").is_in(told)
    return issues.filter(own, seen).height > 0 or weighed.filter(its, seen).height > 0


def silences(simulation: Simulation, issues: pl.DataFrame, weighed: pl.DataFrame) -> bool:
    """No issue of the broken function was ever opened."""
    del weighed
    return issues.filter(pl.col("issue_type").is_in(simulation.world.plot.expected)).height == 0


def words(issue_type: str, *, named: bool = False, **more: object) -> Callable[[Simulation, int], Attack]:
    """Made-up reviews, which name the platform and version of the release if ``named``."""

    def attack(simulation: Simulation, count: int) -> Attack:
        place = {"platform": _release(simulation).platform, "version": version(simulation)} if named else {}
        return Attack(issue_type, fakes=count, **{**place, **more})  # type: ignore[arg-type]

    return attack


def everything(
    issue_type: str, service: str, step: str, *, fakes: bool = True, accounts: bool = False
) -> Callable[[Simulation, int], Attack]:
    """Made-up reviews, ten times as many bad requests and ten times as many abandoned visits, all on the release."""

    def attack(simulation: Simulation, count: int) -> Attack:
        reviews = words(issue_type, named=True, accounts=accounts)(simulation, count if fakes else 0)
        return replace(
            reviews, bad_requests=_TIMES * count, service=service, abandoned=_TIMES * count, step=step, end=24.0
        )

    return attack


def requests(issue_type: str, service: str) -> Callable[[Simulation, int], Attack]:
    """Bad requests with the version of the release in their header, and nothing else."""

    def attack(simulation: Simulation, count: int) -> Attack:
        return replace(words(issue_type, named=True)(simulation, 0), bad_requests=count, service=service)

    return attack


def elsewhere(simulation: Simulation, count: int) -> Attack:
    """Made-up reviews of the same fault on the platform that the release did not go to."""
    ios = next(number for number, one in reversed(simulation.releases) if one.platform == "ios" and one.hour < 0)
    return Attack("checkout_failure", fakes=count, platform="ios", version=ios, start=2, end=26)


def earlier(simulation: Simulation, count: int) -> Attack:
    """Made-up reviews in the two weeks before, so that the fault seems usual."""
    del simulation
    return Attack("checkout_failure", fakes=count, platform="android", start=-18 * 24, end=-4 * 24)


def visits(simulation: Simulation, count: int) -> Attack:
    """Bots that visit and leave, a hundred for each fake, so that the traffic seems to explain the complaints."""
    del simulation
    return Attack("checkout_failure", abandoned=100 * count, step="visit", end=96)


def back_end(simulation: Simulation) -> None:
    """A back-end release without platform before the outage, and telemetry that tells neither platform nor version."""
    rows = simulation.rows
    own = rows["releases"].filter(pl.col("version") == version(simulation))
    rows["releases"] = own.with_columns(pl.lit(None, pl.String).alias("platform"), pl.lit("payments").alias("service"))
    metrics = rows["service_metrics"].group_by("product", "service", "bucket_start", "known_at", maintain_order=True)
    rows["service_metrics"] = metrics.agg(pl.col("requests", "errors").sum())


GOALS = (
    Goal("open a P1: payments fail, by reviews", quiet, words("payment_failure"), opens_p1),
    Goal(
        "name an innocent release: reviews with its version",
        quiet,
        words("checkout_failure", named=True),
        names_innocent,
    ),
    Goal(
        "the same, and bad requests and abandoned checkouts",
        quiet,
        everything("checkout_failure", "checkout", "checkout"),
        names_innocent,
    ),
    Goal(
        "name an innocent release during an outage: bad requests only",
        outage,
        requests("payment_failure", "payments"),
        names_innocent,
    ),
    Goal(
        "`rollback_supported` of an innocent release: all three",
        quiet,
        everything("checkout_failure", "checkout", "checkout"),
        supports_rollback,
    ),
    Goal(
        "the same, by accounts that nobody knows",
        quiet,
        everything("checkout_failure", "checkout", "checkout", accounts=True),
        supports_rollback,
    ),
    Goal(
        "the same during an outage, all three",
        outage,
        everything("payment_failure", "payments", "payment"),
        supports_rollback,
    ),
    Goal(
        "the same during an outage, no reviews",
        outage,
        everything("payment_failure", "payments", "payment", fakes=False),
        supports_rollback,
    ),
    Goal(
        "the same during an outage, of a back-end release",
        outage,
        words("payment_failure"),
        supports_rollback,
        prepare=back_end,
    ),
    Goal("clear a guilty release: reviews on another platform", guilty, elsewhere, clears_guilty),
    Goal("silence a real issue: reviews in the weeks before", guilty, earlier, silences),
    Goal("silence a real issue: bots that visit", guilty, visits, silences),
)


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


def cell(row: Row | None) -> str:
    """Fewest fakes in a table: a dash without a measurement, a bound where none sufficed."""
    if row is None:
        return "–"
    if row["fakes"] is None:
        return f"more than {FAKES[-1]}"
    return str(row["fakes"]) if row["fakes"] else "0 (without any)"


def table(now: Sequence[Row], before: Sequence[Row]) -> list[str]:
    """Goals by rate, before and now."""
    old, new = ({(row["goal"], row["rate"]): row for row in rows} for rows in (before, now))
    lines = [
        f"| goal of the forger | {' | '.join(f'{rate} a day: before | now' for rate in RATES)} | real complaints |",
        "| --- |" + " ---: |" * (2 * len(RATES) + 1),
    ]
    for goal in dict.fromkeys(str(row["goal"]) for row in now):
        cells = [cell(rows.get((goal, rate))) for rate in RATES for rows in (old, new)]
        real = [str(new[goal, rate]["complaints"]) for rate in RATES if (goal, rate) in new]
        lines.append(f"| {goal} | {' | '.join(cells)} | {' / '.join(real)} |")
    return lines


def picture(now: Sequence[Row], before: Sequence[Row], path: Path) -> None:
    """Fewest fakes for each goal at 40 a day, before and now; a full bar is more than were tried."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    goals = list(dict.fromkeys(str(row["goal"]) for row in now))[::-1]
    for offset, (name, rows) in zip((0.2, -0.2), {"before": before, "now": now}.items(), strict=True):
        found = {str(row["goal"]): row["fakes"] for row in rows if row["rate"] == RATES[1]}
        bars = [FAKES[-1] * 1.1 if found.get(goal) is None else float(str(found[goal])) for goal in goals]
        axes.barh([place + offset for place in range(len(goals))], bars, 0.4, label=name)
    axes.set_yticks(range(len(goals)), goals)
    axes.axvline(FAKES[-1], linestyle=":", color="gray")
    axes.set_xlabel(f"fakes needed at {RATES[1]} pieces a day (beyond the line: more than were tried)")
    axes.legend()
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)


_METHOD = f"""A forger adds rows; nothing takes a real customer's row away. Each goal is tried in one world (30 days
of history, an onset, 6 days after it; seed {SEED}) at 10, 40 and 100 pieces of feedback a day, with
{", ".join(str(count) for count in FAKES[1:])} fakes: reviews by strangers, spread over half a day or more, no two
alike. Where an attack has all three, {_TIMES} bad requests with the version in their header and {_TIMES} abandoned
checkouts go with each fake. Counted is the fewest of them with which any of three looks at the decisions shows what
the forger wants; a clearing counts from {_ENOUGH} real complaints on. Labels are given. "Before" has the same worlds,
decided by the code before people were counted (7e3b685). The last column has the real complaints of the fault by the
last look, at the three rates."""


def report(now: Sequence[Row], before: Sequence[Row]) -> str:
    """The page."""
    return "\n".join(
        [
            "# What it takes to forge a decision",
            "",
            "Written by `python -m benchmarks.manipulation --json NOW --before OLD --report PAGE`; do not edit.",
            "",
            f"Measured on {datetime.now(UTC):%Y-%m-%d}; {platform.machine()}, {os.cpu_count()} processors.",
            "",
            "## Method",
            "",
            *textwrap.wrap(_METHOD, 118),
            "",
            "## Fakes needed",
            "",
            *table(now, before),
            "",
            "![Fakes needed](manipulation.svg)",
            "",
            "How the signals are weighed stands in [docs/decisions.md](../docs/decisions.md), *Forged signals*.",
            "The cost of forging the verdict of one issue stands in its ticket and in `fct_release_correlation`.",
            "",
        ]
    )


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

"""Benchmark of the decisions: worlds and fictional products with a known truth, decided by the models and by rivals.

    python -m benchmarks.decisions                     # writes reports/decisions.md and its picture: two hours
    python -m benchmarks.decisions --must-fire 20 --must-not 28 --tempting 8 --no-conditions --batches 0 --out FOLDER

The worlds are ``dagster_project/simulation/worlds``; every run with the same seed makes the same ones. The fictional
products are run beside them, in a process of their own (``benchmarks.products``); with ``--products`` their results
are kept, and are not made again where they are there.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import click
import polars as pl

from benchmarks import products as fictional
from benchmarks.decisions_page import ALL_BATCHES, COLUMNS, OURS, Asked, Results, picture, report, row
from benchmarks.measuring import ROOT
from benchmarks.product_scores import HALVES, Result, header
from dagster_project.home import Home
from dagster_project.simulation.worlds import runner
from dagster_project.simulation.worlds.baselines import RULES_OF_THUMB, alarms
from dagster_project.simulation.worlds.catalogue import build_worlds
from dagster_project.simulation.worlds.scenario import World
from dagster_project.simulation.worlds.scoring import Trial, each, score_rule_of_thumb, score_worlds, trial
from dagster_project.simulation.worlds.sequential import SEQUENTIAL
from dagster_project.simulation.worlds.simulate import Simulation

FACTORS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 1.75, 2.0)
"""Factors on our opening thresholds, for our curve."""
_BATCH = 100


@dataclass(frozen=True)
class Condition:
    """Condition of a run.

    ``scale`` is a factor on traffic, ``label_errors`` the share of wrong labels, ``without`` a removed signal, and
    ``every_hours`` the time between looks (None: the few looks of the main table).
    """

    name: str
    scale: float = 1.0
    label_errors: float = 0.0
    without: str = ""
    every_hours: int | None = None

    @property
    def looks(self) -> Sequence[datetime]:
        """The instants at which decisions are made."""
        if self.every_hours is None:
            return runner.LOOKS
        count = int((runner.LOOKS[-1] - runner.LOOKS[0]) / timedelta(hours=self.every_hours))
        return [runner.LOOKS[0] + timedelta(hours=self.every_hours * place) for place in range(count + 1)]


CONDITIONS = (
    Condition("a tenth of the traffic", scale=0.1),
    Condition("ten times the traffic", scale=10.0),
    Condition("10 % of labels wrong", label_errors=0.1),
    Condition("20 % of labels wrong", label_errors=0.2),
    Condition("30 % of labels wrong", label_errors=0.3),
    Condition("a look every eight hours", every_hours=8),
)
ABLATIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "errors of services": {"service_metrics": ()},
    "funnel and orders": {"funnel_metrics": (), "orders": ()},
    "versions that feedback names": {"feedback": ("app_version",)},
    "platforms of feedback": {"feedback": ("platform",)},
    "countries of feedback": {"feedback": ("country",)},
    "which texts are copies": {"feedback": ("duplicate_of",)},
    "the campaign calendar": {"campaigns": ()},
}
"""Ablations: tables or columns to remove."""


def measure(must_fire: int, must_not: int, seed: int, condition: Condition) -> Results:
    """Judge the decisions on so many worlds of both kinds."""
    return judge(build_worlds(must_fire, must_not, seed, condition.scale), condition)


def judge(worlds: Sequence[World], condition: Condition) -> Results:
    """Simulate worlds in batches of at most a hundred, decide, and score them."""
    results = Results()
    # Every batch holds all kinds.
    count = math.ceil(len(worlds) / _BATCH)
    for place in range(count):
        simulations = [Simulation(world, condition.label_errors) for world in worlds[place::count]]
        for simulation in simulations:
            forget(simulation, condition.without)
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder))
            runner.set_up(home, simulations)
            issues, weighed = [], []
            saying = partial(say, f"{condition.name}: batch {place + 1} of {count}")
            for look in runner.decisions(home, condition.looks, progress=saying):
                issues.append(runner.issues_at(home, look))
                weighed.append(runner.candidates_at(home, look))
            scores = runner.scores_at(home)
        results.outcomes[OURS] += score_worlds(simulations, pl.concat(issues))
        results.candidates += calibration_points(simulations, pl.concat(weighed))
        our_curve(results, simulations, scores)
        rival_results(results, simulations)
    return results


def forget(simulation: Simulation, signal: str) -> None:
    """Take a signal out of a world's rows."""
    for table, columns in ABLATIONS.get(signal, {}).items():
        if table in simulation.rows:
            rows = simulation.rows[table]
            kept = rows.with_columns(pl.lit(None, dtype=rows.schema[column]).alias(column) for column in columns)
            simulation.rows[table] = kept if columns else rows.clear()


def say(where: str, message: str) -> None:
    """Progress, on stderr."""
    click.echo(f"{where}, {message}", err=True)


def calibration_points(simulations: Sequence[Simulation], weighed: pl.DataFrame) -> list[tuple[float, bool]]:
    """Calibration points of issues after the onset: confidence of each change, and True if it is guilty."""
    points = []
    for simulation, rows in each(simulations, weighed):
        plot = simulation.world.plot
        culprit = simulation.change_id(plot.culprit) if plot.culprit else None
        late = rows.filter(pl.col("detected_at") >= simulation.onset_at())
        for issue_type, change, confidence in late.select("issue_type", "change_id", "confidence").iter_rows():
            points.append((confidence, change == culprit and issue_type in plot.expected))
    return points


def our_curve(results: Results, simulations: Sequence[Simulation], scores: pl.DataFrame) -> None:
    """Delay and reasonless alarms of our scores, with all opening thresholds times a factor."""
    for simulation, rows in each(simulations, scores):
        for factor in FACTORS:
            results.trials[OURS][factor].append(our_trial(simulation, rows.filter(pl.col("score") >= factor)))


def our_trial(simulation: Simulation, raised: pl.DataFrame) -> Trial:
    """Score ticks of ours at which an issue would open; only the expected types are right."""
    plot, onset = simulation.world.plot, simulation.onset_at()
    after, right = pl.col("tick") >= onset, pl.col("issue_type").is_in(plot.expected)
    reasoned = pl.col("issue_type").is_in([*plot.expected, *plot.excused]) & after
    hours = raised.filter(after, right).select((pl.col("tick").min() - onset).dt.total_minutes() / 60).item()
    complaints = None if hours is None else int((simulation.complained <= hours).sum())
    return Trial(bool(plot.expected), hours, complaints, episodes(raised.filter(~reasoned)))


def episodes(raised: pl.DataFrame) -> int:
    """Alarms of one series within two days are one."""
    gap = pl.col("tick").diff().over("issue_type") > pl.duration(hours=48)
    return int(raised.sort("tick").select((gap | gap.is_null()).sum()).item()) if raised.height else 0


def rival_results(results: Results, simulations: Sequence[Simulation]) -> None:
    """The rivals on the same worlds, at their usual threshold and at others."""
    for rival in (*RULES_OF_THUMB, *SEQUENTIAL):
        for simulation in simulations:
            scores = rival.score(simulation)
            if scores is None:
                continue
            if rival.customary is not None:
                raised = alarms(simulation, scores, rival.customary)
                results.outcomes[rival.name].append(score_rule_of_thumb(simulation, raised))
            for threshold in rival.thresholds:
                raised = alarms(simulation, scores, threshold)
                results.trials[rival.name][threshold].append(trial(simulation, raised))


def under_conditions(must_fire: int, must_not: int, seed: int) -> list[str]:
    """The same table, all rules, with more or less traffic and with wrong labels."""
    lines = [
        f"{must_fire} and {must_not} of these worlds, with other traffic, other labels, or more looks: whoever looks"
        " more often has more chances to be fooled.",
        "",
    ]
    for condition in CONDITIONS:
        outcomes = measure(must_fire, must_not, seed, condition).outcomes
        lines += ["", f"### {condition.name.capitalize()}", "", *header(COLUMNS)]
        lines += [row(name, own) for name, own in outcomes.items()]
    return lines


def without_signals(must_fire: int, must_not: int, seed: int) -> list[str]:
    """Ours, with one signal after the other taken away."""
    lines = [f"Ours, in {must_fire} and {must_not} of these worlds, when nobody recorded ...", "", *header(COLUMNS)]
    for signal in ("", *ABLATIONS):
        condition = Condition(f"without {signal or 'nothing'}", without=signal)
        own = measure(must_fire, must_not, seed, condition).outcomes[OURS]
        lines.append(row(signal or "(everything recorded)", own))
    return lines


@contextmanager
def products_beside(run: fictional.Run, batches: int, at_once: int) -> Iterator[list[Result]]:
    """Run the first batches of both halves of the second set meanwhile; the list is full at the end."""
    wanted = fictional.batches(HALVES, fictional.BATCH)
    wanted = {name: jobs for name, jobs in wanted.items() if int(name.rsplit("-", 1)[1]) <= batches}
    asked = {(job.scenario, job.seed) for jobs in wanted.values() for job in jobs}
    found: list[Result] = []
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(fictional.run_all, run, wanted, at_once)
        yield found
        running.result()
    found += [one for one in fictional.results_in(run.out) if (one.scenario, one.seed) in asked]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--must-fire", type=click.IntRange(min=1), default=Asked.must_fire, show_default=True)
@click.option("--must-not", type=click.IntRange(min=1), default=Asked.must_not, show_default=True)
@click.option(
    "--tempting", type=click.IntRange(min=0), default=Asked.tempting, show_default=True, help="Worlds that tempt."
)
@click.option("--seed", type=int, default=Asked.seed, show_default=True)
@click.option(
    "--conditions/--no-conditions", default=Asked.conditions, help="Whether to judge under other conditions, too."
)
@click.option(
    "--batches",
    type=click.IntRange(0, ALL_BATCHES),
    default=Asked.batches,
    show_default=True,
    help="Batches of fictional products, of each half; the default is all.",
)
@click.option("--products", type=click.Path(path_type=Path), help="Keeps the results about fictional products.")
@click.option("--lakes", type=click.Path(path_type=Path), help="Keeps their landed and labelled batches.")
@click.option(
    "--every-hours",
    type=click.IntRange(min=1),
    default=Asked.every_hours,
    show_default=True,
    help="Between decisions about fictional products.",
)
@click.option("--jobs", default=1, show_default=True, help="Batches of fictional products at once.")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "reports", help="Where the page goes.")
def main(
    must_fire: int, must_not: int, tempting: int, seed: int, conditions: bool, batches: int, products: Path | None,
    lakes: Path | None, every_hours: int, jobs: int, out: Path,
) -> None:  # fmt: skip
    """Judge the decisions, and their rivals, on worlds and on fictional products with a known truth."""
    asked = Asked(must_fire, must_not, tempting, seed, batches, every_hours, conditions)
    with tempfile.TemporaryDirectory() as folder:
        kept = (products or Path(folder)).absolute()
        run = fictional.Run(kept, (lakes or kept / "lakes").absolute(), every=timedelta(hours=every_hours))
        with products_beside(run, batches, jobs) as found:
            as_it_is = Condition("as it is")
            results = measure(must_fire, must_not, seed, as_it_is)
            worlds = build_worlds(must_fire, must_not, seed, tempting=tempting)
            tempted = judge(worlds[must_fire + must_not :], as_it_is)
            others = {}
            if conditions:
                fewer = (math.ceil(must_fire / 3), math.ceil(must_not / 3), seed)
                others["Under other conditions"] = under_conditions(*fewer)
                others["What each signal buys"] = without_signals(*fewer)
    out.mkdir(parents=True, exist_ok=True)
    (out / "decisions.md").write_text(report(results, tempted, found, others, asked), encoding="utf-8")
    picture(results, out / "decisions.svg")
    click.echo(f"wrote {out / 'decisions.md'}")


if __name__ == "__main__":
    main()

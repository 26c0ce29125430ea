"""Benchmark of the decisions: many worlds with a known truth, decided by the dbt models and three baselines.

    python -m benchmarks.decisions                     # writes reports/decisions.md and its picture: under an hour
    python -m benchmarks.decisions --must-fire 20 --must-not 28 --no-conditions --out FOLDER

The worlds are ``dagster_project/simulation/worlds``; every run with the same seed makes the same ones.
"""

from __future__ import annotations

import itertools
import math
import statistics
import tempfile
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import click
import numpy as np
import polars as pl

from dagster_project.home import Home
from dagster_project.simulation.worlds import runner
from dagster_project.simulation.worlds.baselines import RULES_OF_THUMB, alarms
from dagster_project.simulation.worlds.catalogue import build_worlds
from dagster_project.simulation.worlds.must_fire import MUST_FIRE
from dagster_project.simulation.worlds.must_not_roll_back import MUST_NOT_ROLL_BACK
from dagster_project.simulation.worlds.scoring import (
    MONTHS_PER_WORLD,
    WorldOutcome,
    each,
    score_rule_of_thumb,
    score_worlds,
)
from dagster_project.simulation.worlds.simulate import Simulation
from dagster_project.simulation.worlds.timeline import DAYS_AFTER, DAYS_BEFORE

ROOT = Path(__file__).resolve().parents[1]
OURS = "feedback-control"
THRESHOLDS = (2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0)
_BATCH = 100
_MISSED_HOURS = 24.0 * DAYS_AFTER
_BINS = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)


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


@dataclass
class Results:
    """Results of all worlds, by detector."""

    outcomes: dict[str, list[WorldOutcome]] = field(default_factory=lambda: defaultdict(list))
    curve: dict[tuple[str, float], list[tuple[bool, float | None, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By detector and threshold, per world: alarm expected, hours until it came, false alarms."""
    candidates: list[tuple[float, bool]] = field(default_factory=list)
    """Confidence of each candidate change at each look, and True if it was guilty."""


def measure(must_fire: int, must_not: int, seed: int, condition: Condition) -> Results:
    """Simulate all worlds in batches of a hundred, decide, and score them."""
    results = Results()
    worlds = build_worlds(must_fire, must_not, seed, condition.scale)
    # Every batch holds both kinds.
    count = math.ceil(len(worlds) / _BATCH)
    batches = [worlds[start::count] for start in range(count)]
    for place, batch in enumerate(batches, start=1):
        simulations = [Simulation(world, condition.label_errors) for world in batch]
        for simulation in simulations:
            forget(simulation, condition.without)
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder))
            runner.set_up(home, simulations)
            issues, weighed = [], []
            saying = partial(say, f"{condition.name}: batch {place} of {count}")
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
    """Delay and reasonless alarms of our score at several thresholds."""
    for simulation, rows in each(simulations, scores):
        plot, onset = simulation.world.plot, simulation.onset_at()
        after, right = pl.col("tick") >= onset, pl.col("issue_type").is_in(plot.expected)
        reasoned = pl.col("issue_type").is_in([*plot.expected, *plot.excused]) & after
        for threshold in THRESHOLDS:
            raised = rows.filter(pl.col("score") >= threshold)
            hours = raised.filter(after, right).select((pl.col("tick").min() - onset).dt.total_minutes() / 60).item()
            results.curve[OURS, threshold].append((bool(plot.expected), hours, episodes(raised.filter(~reasoned))))


def episodes(raised: pl.DataFrame) -> int:
    """Alarms of one series within two days are one."""
    gap = pl.col("tick").diff().over("issue_type") > pl.duration(hours=48)
    return int(raised.sort("tick").select((gap | gap.is_null()).sum()).item()) if raised.height else 0


def rival_results(results: Results, simulations: Sequence[Simulation]) -> None:
    """The rivals on the same worlds, at their usual threshold and at others."""
    for rival in RULES_OF_THUMB:
        for simulation in simulations:
            scores = rival.score(simulation)
            results.outcomes[rival.name].append(
                score_rule_of_thumb(simulation, alarms(simulation, scores, rival.threshold))
            )
            for threshold in rival.thresholds:
                found = score_rule_of_thumb(simulation, alarms(simulation, scores, threshold))
                expected = bool(simulation.world.plot.expected)
                results.curve[rival.name, threshold].append((expected, found.delay_hours, found.false_urgent))


def row(name: str, own: Sequence[WorldOutcome]) -> str:
    """One rule's figures over all worlds."""
    firing, quiet = [one for one in own if one.must_fire], [one for one in own if not one.must_fire]
    found = [one for one in firing if one.delay_hours is not None]
    delays = [one.delay_hours for one in found if one.delay_hours is not None]
    complaints = [one.complaints_before for one in found if one.complaints_before is not None]
    guilty = [one for one in firing if one.names_culprit is not None]
    cells = [
        f"{sum(one.false_rollbacks > 0 for one in quiet)} of {len(quiet)}",
        f"{sum(one.false_rollbacks > 0 for one in firing)} of {len(firing)}",
        f"{sum(one.blames_innocent for one in own)} of {len(own)}",
        f"{sum(one.false_urgent for one in own) / (len(own) * MONTHS_PER_WORLD):.3f}",
        f"{len(found)} of {len(firing)}" + (f" ({len(found) / len(firing):.0%})" if firing else ""),
        f"{statistics.median(delays):.0f} / {np.quantile(delays, 0.9):.0f}" if delays else "–",
        f"{statistics.median(complaints):.0f} / {np.quantile(complaints, 0.9):.0f}" if complaints else "–",
        f"{sum(bool(one.names_culprit) for one in guilty)} of {len(guilty)}",
    ]
    return f"| {name} | {' | '.join(cells)} |"


COLUMNS = (
    "rule",
    "worlds with a false rollback, must-not",
    "the same, must-fire",
    "an innocent change named, all worlds",
    "false P1/P2 a product-month",
    "detected",
    "hours to detect, median / p90",
    "complaints until then, median / p90",
    "right change named",
)
HEADER = (f"| {' | '.join(COLUMNS)} |", "| --- |" + " ---: |" * (len(COLUMNS) - 1))


def by_scenario(own: Sequence[WorldOutcome]) -> Iterator[str]:
    """Ours, scenario by scenario."""
    for scenario in (*MUST_FIRE, *MUST_NOT_ROLL_BACK):
        outcomes = [one for one in own if one.scenario == scenario.__name__]
        if outcomes:
            yield row(scenario.__name__, outcomes)


def calibration_lines(points: Sequence[tuple[float, bool]]) -> Iterator[str]:
    """Calibration table: share of guilty changes by confidence."""
    said, true = np.array([one for one, _ in points]), np.array([one for _, one in points], dtype=float)
    yield "| probability given | changes weighed | mean given | to blame |"
    yield "| --- | ---: | ---: | ---: |"
    for low, high in itertools.pairwise(_BINS):
        inside = (said >= low) & ((said < high) | (high == _BINS[-1]))
        if inside.any():
            cells = f"{inside.sum():,} | {said[inside].mean():.2f} | {true[inside].mean():.2f}"
            yield f"| {low:.1f} to {high:.1f} | {cells} |"
    yield ""
    always = true.mean() * (1 - true.mean())
    yield f"Brier score {np.mean((said - true) ** 2):.4f}; of always saying the mean, {always:.4f}."


def picture(results: Results, path: Path) -> None:
    """Detection delay against reasonless alarms, each rule at several thresholds."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5))
    names = list(dict.fromkeys(name for name, _ in results.curve))
    for name, marker in zip(names, "osD^", strict=True):
        points = []
        for (rule, _), worlds in results.curve.items():
            if rule == name:
                delays = [_MISSED_HOURS if delay is None else delay for fires, delay, _ in worlds if fires]
                points.append((sum(one for *_, one in worlds) / (len(worlds) * MONTHS_PER_WORLD), np.mean(delays)))
        axes.plot(*zip(*points, strict=True), marker=marker, label=name)
    axes.set(xscale="symlog", xlabel="alarms without a reason, a product-month", ylabel="mean hours to detect")
    axes.set_title(f"Each rule at several thresholds (a miss counts {_MISSED_HOURS:.0f} hours)")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)


def method(must_fire: int, must_not: int) -> str:
    """Method section of the report."""
    return (
        f"{must_fire} worlds in which something of ours breaks and {must_not} in which no change is to blame, drawn"
        " from the scenarios in `dagster_project/simulation/worlds`:"
        f" {DAYS_BEFORE} days of history, an onset, {DAYS_AFTER} days after it. Every world has weekly harmless"
        " releases and flags, and most have a tempting release hours before the onset. About a hundred are built side"
        f" by side, as products of one dbt build, at {len(runner.LOOKS)} instants from the onset on; a rollback that"
        " any of these looks would have supported counts. Labels are given, so this is about the decisions, not about"
        " the classifier. A false P1/P2 is an open issue of that priority for which the world has no reason."
        " The rivals (`worlds/baselines.py`) blame the release that went out last within three"
        " days; any alarm after the onset of something real counts for them, as they know no issue types."
    )


def report(results: Results, others: dict[str, list[str]], must_fire: int, must_not: int, seed: int) -> str:
    """The page; ``others`` are further tables by title."""
    ours = results.outcomes[OURS]
    lines = [
        "# How good the decisions are",
        "",
        f"Written by `python -m benchmarks.decisions --must-fire {must_fire} --must-not {must_not} --seed {seed}`;"
        " do not edit.",
        "",
        "## Method",
        "",
        *textwrap.wrap(method(must_fire, must_not), 118),
        "",
        "## All worlds",
        "",
        *HEADER,
        *(row(name, own) for name, own in results.outcomes.items()),
        "",
        "![Delay and false alarms](decisions.svg)",
        "",
        "## Ours, by scenario",
        "",
        *HEADER,
        *by_scenario(ours),
        "",
        "## What the probability of a release is worth",
        "",
        *calibration_lines(results.candidates),
    ]
    for title, table in others.items():
        lines += ["", f"## {title}", "", *table]
    return "\n".join([*lines, ""])


def under_conditions(must_fire: int, must_not: int, seed: int) -> list[str]:
    """The same table, all rules, with more or less traffic and with wrong labels."""
    lines = [
        f"{must_fire} and {must_not} of these worlds, with other traffic, other labels, or more looks: whoever looks"
        " more often has more chances to be fooled.",
        "",
    ]
    for condition in CONDITIONS:
        outcomes = measure(must_fire, must_not, seed, condition).outcomes
        lines += ["", f"### {condition.name.capitalize()}", "", *HEADER]
        lines += [row(name, own) for name, own in outcomes.items()]
    return lines


def without_signals(must_fire: int, must_not: int, seed: int) -> list[str]:
    """Ours, with one signal after the other taken away."""
    lines = [f"Ours, in {must_fire} and {must_not} of these worlds, when nobody recorded ...", "", *HEADER]
    for signal in ("", *ABLATIONS):
        condition = Condition(f"without {signal or 'nothing'}", without=signal)
        own = measure(must_fire, must_not, seed, condition).outcomes[OURS]
        lines.append(row(signal or "(everything recorded)", own))
    return lines


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--must-fire", type=click.IntRange(min=1), default=300, show_default=True)
@click.option("--must-not", type=click.IntRange(min=1), default=500, show_default=True)
@click.option("--seed", type=int, default=11, show_default=True)
@click.option("--conditions/--no-conditions", default=True, help="Whether to judge under other conditions, too.")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "reports", help="Where the page goes.")
def main(must_fire: int, must_not: int, seed: int, conditions: bool, out: Path) -> None:
    """Judge the decisions, and three rivals, on worlds with a known truth."""
    results = measure(must_fire, must_not, seed, Condition("as it is"))
    others = {}
    if conditions:
        fewer = (math.ceil(must_fire / 3), math.ceil(must_not / 3), seed)
        others["Under other conditions"] = under_conditions(*fewer)
        others["What each signal buys"] = without_signals(*fewer)
    out.mkdir(parents=True, exist_ok=True)
    (out / "decisions.md").write_text(report(results, others, must_fire, must_not, seed), encoding="utf-8")
    picture(results, out / "decisions.svg")
    click.echo(f"wrote {out / 'decisions.md'}")


if __name__ == "__main__":
    main()

"""Page about the decisions: tables of worlds and of fictional products, and the picture (``benchmarks.decisions``)."""

from __future__ import annotations

import itertools
import statistics
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.product_scores import HALVES, Result, half_of, header, sums, table
from benchmarks.products import BATCH, batches
from dagster_project.simulation.worlds import runner
from dagster_project.simulation.worlds.must_fire import MUST_FIRE
from dagster_project.simulation.worlds.must_not_roll_back import MUST_NOT_ROLL_BACK
from dagster_project.simulation.worlds.scoring import MONTHS_PER_WORLD, Trial, WorldOutcome
from dagster_project.simulation.worlds.tempting import TEMPTING
from dagster_project.simulation.worlds.timeline import DAYS_AFTER, DAYS_BEFORE

OURS = "feedback-control"
_MISSED_HOURS = 24.0 * DAYS_AFTER
_BINS = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)
_NO_TELEMETRY_IN_TIME = ("telemetry_missing", "telemetry_late")


@dataclass
class Results:
    """Results of some worlds: outcomes by detector, and trials by detector and threshold."""

    outcomes: dict[str, list[WorldOutcome]] = field(default_factory=lambda: defaultdict(list))
    trials: dict[str, dict[float, list[Trial]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    candidates: list[tuple[float, bool]] = field(default_factory=list)
    """Confidence of each candidate change at each look, and True if it was guilty."""


ALL_BATCHES = len(batches(HALVES, BATCH)) // len(HALVES)
"""Batches of fictional products in each half."""


@dataclass(frozen=True)
class Asked:
    """Everything asked of a run that shapes its page: the defaults are those of the command."""

    must_fire: int = 300
    must_not: int = 500
    tempting: int = 80
    seed: int = 11
    batches: int = ALL_BATCHES
    """The first so many of each half of the fictional products."""
    every_hours: int = 24
    """Between decisions about fictional products, while incidents go on."""
    conditions: bool = True
    """Whether to judge under other conditions, too."""

    @property
    def command(self) -> str:
        """The command that writes the page."""
        return (
            f"python -m benchmarks.decisions --must-fire {self.must_fire} --must-not {self.must_not}"
            f" --tempting {self.tempting} --seed {self.seed} --batches {self.batches} --every-hours {self.every_hours}"
            f" --{'' if self.conditions else 'no-'}conditions"
        )


def row(name: str, own: Sequence[WorldOutcome]) -> str:
    """One rule's figures over all worlds."""
    firing, quiet = [one for one in own if one.must_fire], [one for one in own if not one.must_fire]
    guilty = [one for one in firing if one.names_culprit is not None]
    cells = [
        f"{sum(one.false_rollbacks > 0 for one in quiet)} of {len(quiet)}",
        f"{sum(one.false_rollbacks > 0 for one in firing)} of {len(firing)}",
        f"{sum(one.blames_innocent for one in own)} of {len(own)}",
        f"{sum(one.false_urgent for one in own) / (len(own) * MONTHS_PER_WORLD):.3f}",
        *_delays(firing),
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


def _delays(firing: Sequence[WorldOutcome | Trial]) -> Iterator[str]:
    """Cells of what was found, after how many hours and complaints."""
    found = [one for one in firing if one.delay_hours is not None]
    delays = [one.delay_hours for one in found if one.delay_hours is not None]
    complaints = [one.complaints_before for one in found if one.complaints_before is not None]
    yield f"{len(found)} of {len(firing)}" + (f" ({len(found) / len(firing):.0%})" if firing else "")
    yield f"{statistics.median(delays):.0f} / {np.quantile(delays, 0.9):.0f}" if delays else "–"
    yield f"{statistics.median(complaints):.0f} / {np.quantile(complaints, 0.9):.0f}" if complaints else "–"


def all_worlds(results: Results) -> Iterator[str]:
    """The main table: ours, ours where telemetry is there in time, and the rivals at their usual thresholds."""
    yield from header(COLUMNS)
    for name, own in results.outcomes.items():
        yield row(name, own)
        if name == OURS:
            yield row(f"{name}, telemetry in time", [one for one in own if one.scenario not in _NO_TELEMETRY_IN_TIME])


def by_scenario(own: Sequence[WorldOutcome]) -> Iterator[str]:
    """Ours, scenario by scenario."""
    yield from header(COLUMNS)
    for scenario in (*MUST_FIRE, *MUST_NOT_ROLL_BACK, *TEMPTING):
        outcomes = [one for one in own if one.scenario == scenario.__name__]
        if outcomes:
            yield row(scenario.__name__, outcomes)


def false_rate(trials: Sequence[Trial]) -> float:
    """Alarms without a reason a product-month."""
    return sum(one.false_alarms for one in trials) / (len(trials) * MONTHS_PER_WORLD) if trials else 0.0


def threshold_for(trials: dict[float, list[Trial]], rate: float) -> float:
    """The lowest threshold from which on false alarms are no more frequent than ``rate``; else the highest there is."""
    allowed = itertools.takewhile(lambda one: false_rate(trials[one]) <= rate, sorted(trials, reverse=True))
    return min(allowed, default=max(trials))


def as_trials(own: Sequence[WorldOutcome]) -> list[Trial]:
    """Our outcomes as trials: the issues that really opened."""
    return [Trial(one.must_fire, one.delay_hours, one.complaints_before, one.false_alarms) for one in own]


def at_the_same_rate(results: Results, tempting: Results) -> Iterator[str]:
    """Every detector at the threshold at which its false alarms are as frequent as ours."""
    yield from header(
        (
            "detector",
            "threshold",
            "alarms without a reason a product-month",
            *COLUMNS[5:8],
            "alarms without a reason a product-month, worlds that tempt",
        )
    )
    ours, tempted = as_trials(results.outcomes[OURS]), as_trials(tempting.outcomes[OURS])
    yield _same_rate_row(OURS, "–", ours, tempted)
    for name, trials in results.trials.items():
        if name != OURS:
            at = threshold_for(trials, false_rate(ours))
            yield _same_rate_row(name, f"{at:g}", trials[at], tempting.trials[name][at])


def _same_rate_row(name: str, at: str, trials: Sequence[Trial], tempted: Sequence[Trial]) -> str:
    cells = [name, at, f"{false_rate(trials):.3f}", *_delays([one for one in trials if one.must_fire])]
    return f"| {' | '.join([*cells, f'{false_rate(tempted):.3f}' if tempted else '–'])} |"


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
    """Detection delay against reasonless alarms, each detector at several thresholds."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    for (name, by_threshold), marker in zip(results.trials.items(), "osD^vP*X", strict=True):
        points = []
        for trials in by_threshold.values():
            delays = [_MISSED_HOURS if one.delay_hours is None else one.delay_hours for one in trials if one.must_fire]
            points.append((false_rate(trials), np.mean(delays)))
        is_ours = name == OURS
        axes.plot(
            *zip(*points, strict=True), marker=marker, markersize=4, markevery=1 if is_ours else 3, label=name,
            linewidth=2.5 if is_ours else 1, linestyle="--" if name.startswith("ideal") else "-",
            zorder=3 if is_ours else 2,
        )  # fmt: skip
    axes.set_xscale("symlog", linthresh=0.01)
    axes.set(xlabel="alarms without a reason, a product-month", ylabel="mean hours to detect", ylim=(0, None))
    axes.set_title(f"Each detector at several thresholds (a miss counts {_MISSED_HOURS:.0f} hours)")
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 118)


def method(asked: Asked) -> str:
    """Method section of the report."""
    return (
        f"{asked.must_fire} worlds in which something of ours breaks and {asked.must_not} in which no change is to"
        " blame, drawn from the scenarios in `dagster_project/simulation/worlds`:"
        f" {DAYS_BEFORE} days of history, an onset, {DAYS_AFTER} days after it. Every world has weekly harmless"
        " releases and flags, and most have a tempting release hours before the onset. About a hundred are built side"
        f" by side, as products of one dbt build, at {len(runner.LOOKS)} instants from the onset on; a rollback that"
        " any of these looks would have supported counts. Labels are given, so this is about the decisions, not about"
        " the classifier. A false P1/P2 is an open issue of that priority for which the world has no reason."
        " The rivals (`worlds/baselines.py`) blame the release that went out last within three"
        " days; any alarm after the onset of something real counts for them, as they know no issue types."
    )


_SAME_RATE = (
    "Each detector at the threshold at which its alarms without a reason are at most as frequent as our issues of any"
    " priority without one. The tests of `worlds/sequential.py` know the true traffic and count no copies; as with the"
    " rivals above, any alarm after the onset of something real counts. The ideal observer also knows the true rates,"
    " how the failure acts from its onset on, and the one issue type that will fail: no count of complaints tells much"
    " sooner. It watches the worlds in which something must be found."
)
_TEMPTING = (
    "Worlds in which telemetry and complaints disagree (`worlds/tempting.py`). They are drawn after all others, so the"
    " worlds above are the same with and without them, and are in none of the figures above."
)
_SECOND = (
    "Products by another author, who knew the contracts and the taxonomy and no model: raw files with texts in, through"
    " landing, classifier and dbt, and decisions out (`dagster_project/simulation/products`,"
    " `python -m benchmarks.products`). The development half may be looked at while models change; the held-out half"
    " is run when they are done, and only its sums are shown. A change is named right if the release or flag that did"
    " it is the suspect 48 hours after detection, of all incidents that a change caused, found or not."
)


def second_set(results: Sequence[Result], asked: Asked) -> Iterator[str]:
    """Section of the second set."""
    run = "All" if asked.batches == ALL_BATCHES else f"{asked.batches} of the"
    yield from _wrapped(
        f"{_SECOND} {run} {ALL_BATCHES} batches of each half were run, each a mixture of all kinds of scenarios, with a"
        f" decision every {asked.every_hours} hours while incidents go on."
    )
    yield ""
    yield from sums(results)
    if shown := [one for one in results if half_of(one.scenario) == HALVES[0]]:
        yield from ("", "The development half, by kind of scenario:", "", *table(shown).splitlines())


def report(
    results: Results, tempting: Results, products: Sequence[Result], others: dict[str, list[str]], asked: Asked
) -> str:
    """The page; ``others`` are further tables by title."""
    lines = [
        "# How good the decisions are",
        "",
        f"Written by `{asked.command}`; do not edit.",
        *("", "## Method", "", *_wrapped(method(asked))),
        *("", "## All worlds", "", *all_worlds(results)),
        *(
            "",
            "## At the same rate of false alarms",
            "",
            *_wrapped(_SAME_RATE),
            "",
            *at_the_same_rate(results, tempting),
        ),
        *("", "![Delay and false alarms](decisions.svg)"),
        *("", "## Ours, by scenario", "", *by_scenario(results.outcomes[OURS])),
        *("", "## What the probability of a release is worth", "", *calibration_lines(results.candidates)),
    ]
    if asked.tempting:
        lines += ["", "## Worlds that tempt", "", *_wrapped(_TEMPTING), "", *by_scenario(tempting.outcomes[OURS])]
    if products:
        lines += ["", "## Fictional products, end to end", "", *second_set(products, asked)]
    for title, lines_of_it in others.items():
        lines += ["", f"## {title}", "", *lines_of_it]
    return "\n".join([*lines, ""])

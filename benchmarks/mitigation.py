"""Benchmark of the ladder: what the whole policy does in worlds with a known truth, and the harm that it prevents.

    python -m benchmarks.mitigation                     # writes reports/mitigation.md: some hours
    python -m benchmarks.mitigation --must-fire 10 --must-not 14 --out FOLDER

The policy is the packaged playbook with everything on: tiers 1 and 2 ``auto``, tier 3 approved at once. Each world
obeys its part of an embedded control system and reacts to what is set there (``dagster_project/simulation/worlds``).
"""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import click

from benchmarks.measuring import ROOT
from benchmarks.product_scores import header
from dagster_project.home import Home
from dagster_project.simulation.worlds import policy
from dagster_project.simulation.worlds.catalogue import build_worlds
from dagster_project.simulation.worlds.policy import Treated
from dagster_project.simulation.worlds.reactions import Harm, harm_of, is_right
from dagster_project.simulation.worlds.scenario import Rollout
from dagster_project.simulation.worlds.simulate import Simulation
from dagster_project.simulation.worlds.timeline import DAYS_AFTER, DAYS_BEFORE, START

OURS, RIVAL, NOTHING = "feedback-control", "error-rate rollback", "no action"
THRESHOLD = 3.0
"""Customary threshold of the rival: three times the usual error rate."""
_BATCH = 100
_DENSE_HOURS, _SPARSE_EVERY = 36, 6
"""Ticks are dense around the onset, and every six hours afterwards."""

COLUMNS = (
    *("policy", "must-not worlds with a false act", "false acts there, by tier", "must-fire worlds with a false act"),
    *("mitigated", "... at or below the right tier", "minutes from the first complaint, median"),
    *("complaints prevented", "failed requests prevented"),
)


@dataclass(frozen=True)
class Score:
    """Score of one policy in one world.

    ``false_tiers`` are the tiers of acts against what is innocent. ``tier`` and ``minutes`` (from the first complaint
    that became known) are those of the first right act; None if there was none.
    """

    scenario: str
    must_fire: bool
    false_tiers: tuple[int, ...]
    right_tier: int
    tier: int | None
    minutes: float | None
    harm_without: Harm
    harm: Harm


def score(played: Treated) -> Score:
    """Score what a policy did in a world."""
    world, plot = played.untreated.world, played.untreated.world.plot
    right = [act for act in played.acts if is_right(played.untreated, act)]
    complained = played.untreated.complained
    return Score(
        scenario=world.scenario,
        must_fire=world.must_fire,
        false_tiers=tuple(act.tier for act in played.acts if act not in right),
        right_tier=3 if isinstance(plot.culprit, Rollout) else 1,
        tier=right[0].tier if right else None,
        minutes=60 * (right[0].hour - float(complained[0])) if right and len(complained) else None,
        harm_without=harm_of(played.untreated),
        harm=harm_of(played.treated),
    )


def ticks(every_hours: int) -> list[datetime]:
    """Instants of decision: from 06:00 on the day of the onset to the end of the worlds."""
    first, last = START + timedelta(days=DAYS_BEFORE, hours=6), START + timedelta(days=DAYS_BEFORE + DAYS_AFTER)
    dense = [first + timedelta(hours=hours) for hours in range(0, _DENSE_HOURS, every_hours)]
    sparse = range(_DENSE_HOURS, int((last - first) / timedelta(hours=1)) + 1, _SPARSE_EVERY)
    return [*dense, *(first + timedelta(hours=hours) for hours in sparse)]


def measure(must_fire: int, must_not: int, seed: int, every_hours: int) -> dict[str, list[Score]]:
    """Play both policies in so many worlds, in batches of at most a hundred that hold all kinds."""
    worlds, looks = build_worlds(must_fire, must_not, seed), ticks(every_hours)
    scores: dict[str, list[Score]] = {OURS: [], RIVAL: [], NOTHING: []}
    count = math.ceil(len(worlds) / _BATCH)
    for place in range(count):
        simulations = [Simulation(world) for world in worlds[place::count]]

        def say(message: str, batch: int = place + 1) -> None:
            click.echo(f"batch {batch} of {count}, {message}", err=True)

        with tempfile.TemporaryDirectory() as folder:
            played = policy.play(Home(Path(folder)), simulations, looks, say)
        scores[OURS] += [score(one) for one in played]
        scores[RIVAL] += [score(policy.roll_back_at_errors(one, THRESHOLD, looks[0])) for one in simulations]
        scores[NOTHING] += [score(Treated(one, (), one)) for one in simulations]
    return scores


def row(name: str, own: Sequence[Score]) -> str:
    """Figures of one policy."""
    firing, quiet = [one for one in own if one.must_fire], [one for one in own if not one.must_fire]
    right = [one for one in firing if one.tier is not None]
    minutes = [one.minutes for one in right if one.minutes is not None]
    tiers = [sum(one.false_tiers.count(tier) for one in quiet) for tier in (1, 2, 3)]
    cells = [
        name,
        f"{sum(bool(one.false_tiers) for one in quiet)} of {len(quiet)}",
        " + ".join(str(number) for number in tiers),
        f"{sum(bool(one.false_tiers) for one in firing)} of {len(firing)}",
        f"{len(right)} of {len(firing)}",
        str(sum(one.tier is not None and one.tier <= one.right_tier for one in right)),
        f"{statistics.median(minutes):.0f}" if minutes else "-",
        _prevented([(one.harm_without.complaints, one.harm.complaints) for one in firing]),
        _prevented([(one.harm_without.failed_requests, one.harm.failed_requests) for one in firing]),
    ]
    return f"| {' | '.join(cells)} |"


def _prevented(harm: Sequence[tuple[float, float]]) -> str:
    """Prevented harm of all worlds together, and its share."""
    without, left = (sum(values) for values in zip(*harm, strict=True)) if harm else (0.0, 0.0)
    return f"{without - left:,.0f} of {without:,.0f} ({(without - left) / without:.0%})" if without else "-"


def by_scenario(own: Sequence[Score]) -> list[str]:
    """What our policy did in each kind of world."""
    columns = ("scenario", "worlds", "mitigated", "by tier 1 + 2 + 3", "with a false act", "complaints prevented")
    lines = [*header(columns)]
    for scenario in dict.fromkeys(one.scenario for one in own):
        here = [one for one in own if one.scenario == scenario]
        tiers = [sum(one.tier == tier for one in here) for tier in (1, 2, 3)]
        cells = [
            scenario.replace("_", " "),
            str(len(here)),
            str(sum(one.tier is not None for one in here)),
            " + ".join(str(number) for number in tiers),
            str(sum(bool(one.false_tiers) for one in here)),
            _prevented([(one.harm_without.complaints, one.harm.complaints) for one in here]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def page(scores: dict[str, list[Score]], must_fire: int, must_not: int, seed: int, every_hours: int) -> str:
    """The page."""
    command = f"--must-fire {must_fire} --must-not {must_not} --seed {seed} --every-hours {every_hours}"
    lines = [
        "# Mitigation",
        "",
        f"Written by `python -m benchmarks.mitigation {command}`. {must_fire} worlds in which something breaks,"
        f" {must_not} in which nothing may be rolled back; each has six days from its onset. The policy is the packaged"
        " playbook with everything on: tiers 1 and 2 act by themselves, tier 3 is approved at once. Decisions are every"
        f" {every_hours} hours around the onset and every {_SPARSE_EVERY} hours later, which bounds the minutes below."
        f" The rival rolls the latest release back when errors reach {THRESHOLD:g} times the usual rate, every hour.",
        "",
        "A false act is one against a flag, a release or a provider that is not to blame. An act is at the right tier"
        " if no smaller one would end the trouble: 1 for a flag or a provider, 3 for a release (a halt eases it)."
        " What is prevented is the difference between the same world with and without the acts: complaints are"
        " counted, failed requests are expected numbers.",
        "",
        *header(COLUMNS),
        *(row(name, own) for name, own in scores.items()),
        "",
        "## What our policy did",
        "",
        *by_scenario(scores[OURS]),
    ]
    return "\n".join(lines) + "\n"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--must-fire", type=click.IntRange(min=1), default=300, show_default=True)
@click.option("--must-not", type=click.IntRange(min=1), default=500, show_default=True)
@click.option("--seed", type=int, default=18, show_default=True)
@click.option(
    "--every-hours", type=click.IntRange(1, 12), default=2, show_default=True, help="Between ticks at the onset."
)
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "reports", help="Where the page goes.")
def main(must_fire: int, must_not: int, seed: int, every_hours: int, out: Path) -> None:
    """Play the whole ladder, and its rival, in worlds with a known truth."""
    scores = measure(must_fire, must_not, seed, every_hours)
    out.mkdir(parents=True, exist_ok=True)
    (out / "mitigation.md").write_text(page(scores, must_fire, must_not, seed, every_hours), encoding="utf-8")
    click.echo(f"wrote {out / 'mitigation.md'}")


if __name__ == "__main__":
    main()

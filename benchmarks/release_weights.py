"""Fit the weights of the release evidence on worlds with a known truth, and say what the fit is worth on others.

    python -m benchmarks.release_weights           # prints the weights for dbt_project/seeds: about 15 minutes

The model is the one of ``fct_release_correlation``: of all competitors for an issue, and something unknown, one is
the cause (multinomial logit, McFadden 1974). Where a change is to blame, its probability should be large; where none
is, that of every change small. The fit is drawn towards the present weights, and the worlds of
``benchmarks.decisions`` have other seeds.
"""

from __future__ import annotations

import csv
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.optimize import minimize

from dagster_project.decisioning.published import read_mart
from dagster_project.home import DBT_PROJECT, Home
from dagster_project.simulation.worlds import runner
from dagster_project.simulation.worlds.catalogue import cast
from dagster_project.simulation.worlds.scoring import each
from dagster_project.simulation.worlds.simulate import Drawing

SEED_FILE = DBT_PROJECT / "seeds" / "release_evidence_weights.csv"
TERMS = ("timing", "version_rate", "version_named", "technical", "shared_rise", "scope_contradiction")
ALTERNATIVES = ("campaign", "crowd", "outage", "country", "copies")
_BATCH = 80
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trials:
    """Competitors (rows) of issues at looks (groups): their features, group numbers, who is to blame, group weights."""

    features: Floats
    group: npt.NDArray[np.int64]
    guilty: npt.NDArray[np.bool_]
    is_change: npt.NDArray[np.bool_]
    weight: Floats


def names() -> tuple[str, ...]:
    """The terms in the order of the features' columns."""
    return ("intercept", *TERMS, "alternative", *ALTERNATIVES)


def gather(must_fire: int, must_not: int, seed: int) -> Trials:
    """Act worlds out and note every competitor at every look."""
    frames = []
    worlds = cast(must_fire, must_not, seed, 1.0)
    count = -(-len(worlds) // _BATCH)
    for start in range(count):
        drawings = [Drawing(world) for world in worlds[start::count]]
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder))
            runner.set_up(home, drawings)
            for look in runner.decisions(home, progress=lambda message: click.echo(message, err=True)):
                rows = competitors(home)
                for drawing, found in each(drawings, rows):
                    plot = drawing.world.plot
                    culprit = drawing.change_id(plot.culprit) if plot.culprit else None
                    caused = pl.col("issue_type").is_in(plot.expected) & (pl.col("detected_at") >= drawing.onset_at())
                    guilty = (pl.col("change_id") == pl.lit(culprit)).fill_null(False) & caused
                    frames.append(found.with_columns(guilty.alias("guilty"), pl.lit(look).alias("look")))
    rows = pl.concat(frames)
    own = [pl.col(name).fill_null(0.0).cast(pl.Float64) for name in TERMS]
    other = [
        pl.when(pl.col("change_kind") == kind).then("alternative_evidence").otherwise(0.0).alias(kind)
        for kind in ALTERNATIVES
    ]
    intercepts = (pl.col("is_change").cast(pl.Float64), (~pl.col("is_change")).cast(pl.Float64).alias("alternative"))
    group = rows.select(pl.struct("issue_id", "look").rank("dense").cast(pl.Int64) - 1).to_series().to_numpy()
    groups = rows.group_by("product").agg(pl.struct("issue_id", "look").n_unique().alias("groups"))
    weight = rows.join(groups, on="product", maintain_order="left")["groups"].to_numpy()
    return Trials(
        rows.select(intercepts[0], *own, intercepts[1], *other).to_numpy(),
        group,
        rows["guilty"].to_numpy(),
        rows["is_change"].to_numpy(),
        1.0 / weight,
    )


def competitors(home: Home) -> pl.DataFrame:
    """Every competitor of every issue that has a verdict, with the issue's type and when it was noticed."""
    issues = read_mart(home, "fct_issues", ["issue_id", "product", "issue_type", "verdict", "detected_at"])
    judged = issues.filter(pl.col("verdict") != "insufficient_data").drop("verdict")
    noticed = pl.col("detected_at").dt.replace_time_zone("UTC")
    return read_mart(home, "fct_release_correlation").join(judged.with_columns(noticed), on=["issue_id", "product"])


def loss(weights: Floats, trials: Trials) -> float:
    """Mean surprise: -log of the culprit's probability, or of that of no change at all, a world counting once."""
    odds = np.exp(np.clip(trials.features @ weights, -30, 30))
    groups = int(trials.group.max()) + 1
    total = 1.0 + np.bincount(trials.group, odds, groups)
    blamed = np.bincount(trials.group, odds * trials.guilty, groups)
    innocent = total - np.bincount(trials.group, odds * trials.is_change, groups)
    hit = np.bincount(trials.group, trials.guilty, groups) > 0
    share = np.zeros(groups)
    share[trials.group] = trials.weight
    return float(-(share * np.log(np.where(hit, blamed, innocent) / total)).sum() / share.sum())


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--must-fire", default=120, show_default=True)
@click.option("--must-not", default=200, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--other-seed", default=3, show_default=True, help="The worlds on which the fit is tried.")
@click.option("--pull", default=0.002, show_default=True, help="How strongly the present weights draw the fit.")
def main(must_fire: int, must_not: int, seed: int, other_seed: int, pull: float) -> None:
    """Fit, and print the weights as the seed has them."""
    with SEED_FILE.open(encoding="utf-8", newline="") as lines:
        present = {row["term"]: float(row["weight"]) for row in csv.DictReader(lines)}
    start = np.array([present[name] for name in names()])
    seen, unseen = gather(must_fire, must_not, seed), gather(must_fire // 2, must_not // 2, other_seed)
    fitted = minimize(lambda at: loss(at, seen) + pull * float(((at - start) ** 2).sum()), start, method="L-BFGS-B").x
    rounded = np.round(fitted, 1)
    for name, before, after in zip(names(), start, rounded, strict=True):
        click.echo(f"{name},{after:g}   (was {before:g})")
    for title, trials in (("fitted on", seen), ("not seen", unseen)):
        click.echo(f"mean surprise, {title}: {loss(start, trials):.4f} before, {loss(rounded, trials):.4f} after")


if __name__ == "__main__":
    main()

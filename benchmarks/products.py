"""Benchmark of the whole system on fictional products: raw files in, decisions out, scored against the truth.

    python -m benchmarks.products --out FOLDER --jobs 2                # both halves: 40 minutes on two free cores
    python -m benchmarks.products --out FOLDER --lakes LAKES --half dev --only 1,3
    python -m benchmarks.products --out FOLDER --scenarios 'third_*,plain_01' --seeds 1,2

Batches of worlds are landed and labelled once (``product_lakes``), kept under ``--lakes``, and decided upon with the
models of now. Every world leaves ``worlds/<scenario>-<seed>.json``; a batch whose worlds all have one is not run again,
so a run that was stopped goes on. ``index.md`` and ``results.json`` sum up. Every batch is a mixture of all kinds of
scenarios: ``--only`` some is a smaller benchmark.

The scenarios at odd places of the sorted catalogue are the development half: whoever changes the models may look at
them. Of the held-out half only sums are shown, and nothing is designed for it.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import polars as pl
from pydantic import TypeAdapter

from benchmarks.measuring import ROOT
from benchmarks.product_lakes import UNTIL, Job, copy_of, jobs_of, prepare, truths_of
from benchmarks.product_scores import HALVES, Result, Sighting, half_of, score, sums, table
from dagster_project.decisioning.explain import queue
from dagster_project.decisioning.published import read_mart
from dagster_project.home import Home
from dagster_project.simulation.products import catalogue
from dagster_project.simulation.worlds.runner import decisions
from models_ml.files import write_json, write_text

BATCH = 16
"""Worlds in a batch, unless said otherwise."""
_BEFORE_INCIDENTS, _AFTER_INCIDENTS = timedelta(days=20), timedelta(days=3)
"""Onsets and the nine days after them lie between these, counted back from the end: there decisions are dense."""


@dataclass(frozen=True)
class Run:
    """Where a run keeps results (``out``) and batches (``lakes``), and how often it decides while incidents go on."""

    out: Path
    lakes: Path
    models: Path = ROOT / ".feedback-control" / "models"
    every: timedelta = timedelta(hours=24)


def instants(every: timedelta) -> list[datetime]:
    """As-of instants: dense while incidents go on, at most daily in the week before, and the end."""
    first, last = UNTIL - _BEFORE_INCIDENTS, UNTIL - _AFTER_INCIDENTS
    dense = [first + number * every for number in range(int((last - first) / every) + 1)]
    seldom = max(every, timedelta(days=1))
    before = [first - number * seldom for number in range(int(timedelta(days=7) / seldom), 0, -1)]
    return [*before, *dense, UNTIL]


def run_batch(run: Run, name: str, jobs: Sequence[Job]) -> None:
    """Decide on the worlds of a batch, in a copy of its lake, and write a result for each."""
    folder = run.lakes / name
    started = time.monotonic()
    prepare(jobs, folder, run.models, run.lakes / "labels")
    prepared = time.monotonic()
    _told(f"{len(jobs)} worlds landed and labelled in {prepared - started:.0f} s")
    truths = truths_of(folder)
    run.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="products-", dir=run.out) as place:
        home = copy_of(folder, Path(place) / "home", run.models, run.out / "labels")
        sightings = list(_decided(home, run.every))
        candidates = _candidates(home)
    decided = time.monotonic()
    _told(f"{len(jobs)} worlds decided in {decided - prepared:.0f} s")
    for job, truth in zip(jobs_of(truths), truths, strict=True):
        own = [one for product, one in sightings if product == truth.product]
        content = {
            "result": asdict(score(truth, own)),
            "truth": asdict(truth),
            "issues": [asdict(one) for one in _changes(own)],
            "candidates": {name: candidates.get(name, []) for name in sorted({one.issue_id for one in own})},
            "seconds": {"prepare": (prepared - started) / len(jobs), "decide": (decided - prepared) / len(jobs)},
        }
        write_json(job.result(run.out), json.loads(json.dumps(content, default=str)))


def _told(message: str) -> None:
    click.echo(f"{datetime.now(UTC):%H:%M:%S} process {os.getpid()}: {message}", err=True)


def _decided(home: Home, every: timedelta) -> Iterator[tuple[str, Sighting]]:
    """Every issue as of every instant, with its product."""
    for as_of in decisions(home, instants(every), progress=_told):
        for row in queue(home, include_resolved=True):
            yield row["product"], _sighting(row, as_of)


def _sighting(row: dict[str, Any], as_of: datetime) -> Sighting:
    return Sighting(
        as_of=as_of,
        issue_id=row["issue_id"],
        issue_type=row["issue_type"],
        priority=row["priority"],
        verdict=row["verdict"],
        suspect=row["suspect_release_id"] or "",
        rollback_supported=bool(row["rollback_supported"]),
        detected_at=row["detected_at"].replace(tzinfo=UTC),
        started_at=row["started_at"].replace(tzinfo=UTC),
    )


def _candidates(home: Home) -> dict[str, list[dict[str, Any]]]:
    """The three likeliest changes of each issue as of the last instant, to see why one was or was not named."""
    columns = ("issue_id", "candidate_rank", "change_id", "changed_at", "hours_to_onset", "confidence", "verdict")
    rows = read_mart(home, "fct_release_correlation").filter(pl.col("is_change") & (pl.col("candidate_rank") <= 3))
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows.select(columns).sort("issue_id", "candidate_rank").iter_rows(named=True):
        found.setdefault(row["issue_id"], []).append(row)
    return found


def _changes(sightings: Sequence[Sighting]) -> Iterator[Sighting]:
    """Sightings that differ from the one before of the same issue."""
    last: dict[str, tuple[object, ...]] = {}
    for one in sightings:
        state = (one.priority, one.verdict, one.suspect, one.rollback_supported)
        if last.get(one.issue_id) != state:
            yield one
        last[one.issue_id] = state


def results_in(out: Path) -> list[Result]:
    """All results there are."""
    contents = [json.loads(path.read_bytes()) for path in sorted((out / "worlds").glob("*.json"))]
    return TypeAdapter(list[Result]).validate_python([one["result"] for one in contents])


def summarise(out: Path) -> str:
    """Write the tables of all results there are, and the JSON of those that may be looked at; returns the tables."""
    results = results_in(out)
    shown = [one for one in results if half_of(one.scenario) == HALVES[0]]
    write_json(out / "results.json", [asdict(one) for one in shown])
    parts = ["# Fictional products", "", *sums(results), ""]
    if shown:
        parts += ["## The development half, by kind of scenario", "", table(shown)]
    text = "\n".join(parts)
    write_text(out / "index.md", text)
    return text


def batches(halves: Sequence[str], size: int, scenarios: str = "*", seeds: str = "1") -> dict[str, list[Job]]:
    """Worlds by the name of their batch; batches of a half are of about equal size, each a mixture of scenarios."""
    patterns = [pattern.strip() for pattern in scenarios.split(",")]
    named = [name for name in sorted(catalogue()) if any(fnmatch(name, pattern) for pattern in patterns)]
    found: dict[str, list[Job]] = {}
    for half in halves:
        jobs = [Job(name, int(seed)) for seed in seeds.split(",") for name in named if half_of(name) == half]
        count = -(-len(jobs) // size)
        found |= {f"{half}-{number + 1}": jobs[number::count] for number in range(count)}
    return found


def run_all(run: Run, wanted: dict[str, list[Job]], at_once: int) -> None:
    """Run the batches that lack a result, each in a process of its own, some at a time."""
    missing = {name: jobs for name, jobs in wanted.items() if not all(job.result(run.out).exists() for job in jobs)}
    with ProcessPoolExecutor(at_once, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        done = {name: pool.submit(run_batch, run, name, jobs) for name, jobs in missing.items()}
        for name, future in done.items():
            if error := future.exception():
                click.echo(f"batch {name} failed ({error}); run again for its worlds", err=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Results, and labels of texts.")
@click.option("--lakes", type=click.Path(path_type=Path), help="Landed and labelled batches; default: under --out.")
@click.option("--half", type=click.Choice([*HALVES, "both"]), default="both", show_default=True)
@click.option("--only", help="Numbers of the batches of each half, separated by commas; default: all.")
@click.option("--scenarios", default="*", show_default=True, help="Names or patterns, separated by commas.")
@click.option("--seeds", default="1", show_default=True, help="Separated by commas.")
@click.option("--jobs", default=1, show_default=True, help="Batches at once.")
@click.option("--batch", default=BATCH, show_default=True, help="Worlds in a batch.")
@click.option("--every-hours", default=24, show_default=True, help="Between decisions, while incidents go on.")
@click.option("--models", type=click.Path(path_type=Path), default=Run.models)
def main(
    out: Path, lakes: Path | None, half: str, only: str | None, scenarios: str, seeds: str, jobs: int, batch: int,
    every_hours: int, models: Path,
) -> None:  # fmt: skip
    """Run the worlds that have no result yet, and sum up all that have one."""
    out = out.absolute()
    run = Run(out, (lakes or out / "lakes").absolute(), models.absolute(), timedelta(hours=every_hours))
    wanted = batches(HALVES if half == "both" else [half], batch, scenarios, seeds)
    if only:
        wanted = {name: own for name, own in wanted.items() if name.rsplit("-", 1)[1] in only.split(",")}
    run_all(run, wanted, jobs)
    click.echo(summarise(out))


if __name__ == "__main__":
    main()

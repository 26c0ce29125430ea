"""Benchmark of the whole system on fictional products: raw files in, decisions out, scored against the truth.

    python -m benchmarks.products --out FOLDER --jobs 2           # everything: half an hour on two free cores
    python -m benchmarks.products --out FOLDER --scenarios 'third_*,plain_01' --seeds 1,2 --jobs 2

Several worlds share a home, each as a product of its own, as a build has a cost that does not depend on its rows. Texts
that an earlier home has labelled are not labelled again. Every world leaves ``worlds/<scenario>-<seed>.json``; a world
that has one is not run again, so a run that was stopped goes on. ``index.md`` and ``results.json`` sum up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click
import polars as pl
import yaml
from pydantic import TypeAdapter

from benchmarks.measuring import ROOT
from benchmarks.product_scores import Result, Sighting, score, table
from dagster_project import lake
from dagster_project.decisioning.decide import decide
from dagster_project.decisioning.explain import queue
from dagster_project.decisioning.published import read_mart
from dagster_project.enrichment.labeling import label_new
from dagster_project.home import Home
from dagster_project.ingestion.landing import land
from dagster_project.ingestion.sources import load_sources
from dagster_project.lake_tables import LABELS_OF_TEXT, schema_of
from dagster_project.simulation.products import Truth, catalogue, write_product
from models_ml.files import write_atomically, write_json, write_text

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
_BEFORE_INCIDENTS, _AFTER_INCIDENTS = timedelta(days=20), timedelta(days=3)
"""Onsets and the nine days after them lie between these, counted back from the end: there decisions are dense."""
_PRIMED = datetime(1970, 1, 2, tzinfo=UTC)
"""Shared labels stand in a home under this day while it labels, and are removed after."""


@dataclass(frozen=True)
class Job:
    """A world to run."""

    scenario: str
    seed: int

    def result(self, out: Path) -> Path:
        """File of its result."""
        return out / "worlds" / f"{self.scenario}-{self.seed}.json"


def instants(every: timedelta) -> list[datetime]:
    """As-of instants: daily before and after the time of incidents, dense within."""
    first, last = UNTIL - _BEFORE_INCIDENTS, UNTIL - _AFTER_INCIDENTS
    dense = [first + number * every for number in range(int((last - first) / every) + 1)]
    return [*(first - timedelta(days=day) for day in range(7, 0, -1)), *dense, UNTIL]


def run_batch(jobs: Sequence[Job], out: Path, models: Path, every: timedelta) -> None:
    """Run some worlds in one home, and write a result for each."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="products-", dir=out) as folder:
        home, truths = _prepared(jobs, Path(folder), models)
        land(home, load_sources(Path(folder) / "sources.yml"), now=UNTIL)
        landed = time.monotonic()
        _told(f"{len(jobs)} worlds landed in {landed - started:.0f} s")
        _label(home, out / "labels")
        labelled = time.monotonic()
        _told(f"labelled in {labelled - landed:.0f} s")
        sightings = list(_decided(home, every))
        candidates = _candidates(home)
    decided = time.monotonic()
    seconds = {"land": landed - started, "label": labelled - landed, "decide": decided - labelled}
    for job, truth in zip(jobs, truths, strict=True):
        own = [one for product, one in sightings if product == truth.product]
        content = {
            "result": asdict(score(truth, own)),
            "truth": {name: value for name, value in asdict(truth).items() if name != "complaints"},
            "issues": [asdict(one) for one in _changes(own)],
            "candidates": {name: candidates.get(name, []) for name in sorted({one.issue_id for one in own})},
            "seconds": {name: round(value / len(jobs), 2) for name, value in seconds.items()},
        }
        write_json(job.result(out), json.loads(json.dumps(content, default=str)))


def _told(message: str) -> None:
    click.echo(f"{datetime.now(UTC):%H:%M:%S} process {os.getpid()}: {message}", err=True)


def _prepared(jobs: Sequence[Job], folder: Path, models: Path) -> tuple[Home, list[Truth]]:
    """The files of all worlds, a common ``sources.yml``, and an empty home with the trained models."""
    truths, sources = [], []
    for number, job in enumerate(jobs):
        own = folder / f"w{number:02d}"
        truths.append(write_product(own, catalogue()[job.scenario], job.seed, UNTIL))
        for source in yaml.safe_load((own / "sources.yml").read_text(encoding="utf-8"))["sources"]:
            sources.append({**source, "path": f"{own.name}/{source['path']}"})
    (folder / "sources.yml").write_text(yaml.safe_dump({"sources": sources}), encoding="utf-8")
    home = Home(folder / "home").marked("replay")
    home.models.symlink_to(models.resolve(), target_is_directory=True)
    return home, truths


def _label(home: Home, shared: Path) -> None:
    """Label the home's feedback by the labels of texts that other homes have read, and share what is new."""
    lake.ensure_table(home, "labels")
    known = [pl.read_parquet(path) for path in sorted(shared.glob("*.parquet"))]
    before = pl.concat(known) if known else pl.DataFrame(schema=LABELS_OF_TEXT)
    primed = before.with_columns(
        pl.lit("primed").alias("feedback_id"), pl.lit("primed").alias("content_hash"), pl.lit(_PRIMED).alias("known_at")
    )
    schema = schema_of("labels")
    missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in schema.items() if name not in primed.columns]
    paths = lake.append(home, "labels", primed.with_columns(missing).select(list(schema)).cast(schema))  # type: ignore[arg-type]
    label_new(home)
    for path in paths:
        path.unlink()
    # A join on both: a change of the model or of the rules makes other labels.
    key = ["text_hash", "label_version"]
    new = lake.scan(home, "labels").select(list(LABELS_OF_TEXT)).unique(key).collect().join(before, on=key, how="anti")
    if new.height:
        write_atomically(shared / f"{time.time_ns()}.parquet", new.write_parquet)


def _decided(home: Home, every: timedelta) -> Iterator[tuple[str, Sighting]]:
    """Every issue as of every instant, with its product."""
    looks = instants(every)
    for number, as_of in enumerate(looks, start=1):
        decide(home, as_of=as_of)
        if number % 10 == 0:
            _told(f"{number} of {len(looks)} decisions")
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


def summarise(out: Path) -> str:
    """Write the table and the JSON of all results there are; returns the table."""
    contents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((out / "worlds").glob("*.json"))]
    results = TypeAdapter(list[Result]).validate_python([one["result"] for one in contents])
    seconds = [sum(one["seconds"].values()) for one in contents]
    write_json(out / "results.json", [one["result"] for one in contents])
    shown = f"# Fictional products\n\n{len(results)} worlds, {sum(seconds):.0f} seconds of runs.\n\n{table(results)}"
    write_text(out / "index.md", shown)
    return shown


def _batches(jobs: Sequence[Job], size: int) -> Iterator[Sequence[Job]]:
    """Batches of about equal size, each with a mixture of scenarios."""
    count = -(-len(jobs) // size)
    yield from (jobs[number::count] for number in range(count))


def _run_all(batches: Sequence[Sequence[Job]], out: Path, models: Path, hours: int, at_once: int) -> None:
    """Run each batch in a process of its own, some at a time."""
    command = [sys.executable, "-m", "benchmarks.products", "--out", str(out), "--models", str(models)]

    def run(batch: Sequence[Job]) -> int:
        worlds = ",".join(f"{job.scenario}:{job.seed}" for job in batch)
        return subprocess.run([*command, "--every-hours", str(hours), "--batch-of", worlds], check=False).returncode

    with ThreadPoolExecutor(at_once) as pool:
        for code in pool.map(run, batches):
            if code:
                click.echo(f"a batch failed with {code}; run again for its worlds", err=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Results, and the labels that are shared.")
@click.option("--scenarios", default="*", show_default=True, help="Names or patterns, separated by commas.")
@click.option("--seeds", default="1", show_default=True, help="Separated by commas.")
@click.option("--limit", type=int, help="At most so many worlds of those that have no result yet.")
@click.option("--jobs", default=1, show_default=True, help="Batches at once.")
@click.option("--batch", default=24, show_default=True, help="Worlds in a home.")
@click.option("--every-hours", default=24, show_default=True, help="Between decisions, while incidents go on.")
@click.option("--models", type=click.Path(path_type=Path), default=ROOT / ".feedback-control" / "models")
@click.option("--batch-of", hidden=True, help="Run these worlds in this process.")
def main(
    out: Path, scenarios: str, seeds: str, limit: int | None, jobs: int, batch: int, every_hours: int, models: Path,
    batch_of: str | None,
) -> None:  # fmt: skip
    """Run the worlds that have no result yet, and sum up all that have one."""
    out = out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    if batch_of:
        pairs = [entry.rsplit(":", 1) for entry in batch_of.split(",")]
        run_batch([Job(name, int(seed)) for name, seed in pairs], out, models, timedelta(hours=every_hours))
        return
    patterns = scenarios.split(",")
    names = [name for name in catalogue() if any(fnmatch(name, pattern.strip()) for pattern in patterns)]
    wanted = [Job(name, int(seed)) for seed in seeds.split(",") for name in names]
    open_jobs = [job for job in wanted if not job.result(out).exists()][:limit]
    _run_all(list(_batches(open_jobs, batch)), out, models, every_hours, jobs)
    click.echo(summarise(out))


if __name__ == "__main__":
    main()

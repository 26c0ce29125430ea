"""Landed and labelled lakes of fictional products: several worlds in one home, with their truths beside it.

A build has a cost that does not depend on its rows, so worlds share a home, each as a product of its own. A batch is a
folder with ``home/`` and, written last, ``truths.json``; a decision is made on a copy of its lake.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import yaml
from pydantic import TypeAdapter

from dagster_project import lake, lake_files
from dagster_project.enrichment.labeling import label_new
from dagster_project.home import Home
from dagster_project.ingestion.landing import land
from dagster_project.ingestion.sources import load_sources
from dagster_project.lake_tables import LABELS_OF_TEXT, schema_of
from dagster_project.simulation.products import Truth, catalogue, write_product
from models_ml.files import write_atomically, write_json

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
_PRIMED = datetime(1970, 1, 2, tzinfo=UTC)
"""Shared labels stand in a home's lake under this day while it labels, and are taken out after."""


@dataclass(frozen=True)
class Job:
    """A world to run."""

    scenario: str
    seed: int

    def result(self, out: Path) -> Path:
        """File of its result."""
        return out / "worlds" / f"{self.scenario}-{self.seed}.json"


def prepare(jobs: Sequence[Job], folder: Path, models: Path, labels: Path) -> None:
    """Write, land and label the worlds of a batch; one that is there is left alone.

    Args:
        jobs: the worlds.
        folder: of the batch; it is made anew.
        models: the trained models.
        labels: folder of the labels of texts that earlier batches have read; what is new is added.

    Raises:
        ValueError: the batch is there, of other worlds.
    """
    if is_prepared(folder):
        if jobs_of(truths_of(folder)) != list(jobs):
            raise ValueError(f"{folder} holds other worlds; remove it, or name another folder")
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    home = Home(folder / "home").marked("replay")
    home.models.symlink_to(models.resolve(), target_is_directory=True)
    with tempfile.TemporaryDirectory(prefix="files-", dir=folder) as files:
        truths = _write_files(jobs, Path(files))
        land(home, load_sources(Path(files) / "sources.yml"), now=UNTIL)
    label(home, labels)
    write_json(folder / "truths.json", json.loads(json.dumps([asdict(truth) for truth in truths], default=str)))


def is_prepared(folder: Path) -> bool:
    """Whether a batch is complete."""
    return (folder / "truths.json").is_file()


def truths_of(folder: Path) -> list[Truth]:
    """Truths of the worlds of a batch."""
    return TypeAdapter(list[Truth]).validate_json((folder / "truths.json").read_bytes())


def jobs_of(truths: Sequence[Truth]) -> list[Job]:
    """Worlds that these truths are about."""
    return [Job(truth.scenario, truth.seed) for truth in truths]


def copy_of(folder: Path, root: Path, models: Path, labels: Path) -> Home:
    """A new home with a copy of a batch's lake, labelled by the model and the rules of now."""
    home = Home(root).marked("replay")
    home.models.symlink_to(models.resolve(), target_is_directory=True)
    shutil.copytree(folder / "home" / "lake", home.lake)
    label(home, labels)
    return home


def _write_files(jobs: Sequence[Job], folder: Path) -> list[Truth]:
    """Write the files of all worlds and a common ``sources.yml``."""
    truths, sources = [], []
    for number, job in enumerate(jobs):
        own = folder / f"w{number:02d}"
        truths.append(write_product(own, catalogue()[job.scenario], job.seed, UNTIL))
        for source in yaml.safe_load((own / "sources.yml").read_text(encoding="utf-8"))["sources"]:
            sources.append({**source, "path": f"{own.name}/{source['path']}"})
    (folder / "sources.yml").write_text(yaml.safe_dump({"sources": sources}), encoding="utf-8")
    return truths


def label(home: Home, shared: Path) -> None:
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
        lake_files.retire(home, "labels", path, home.root / "primed" / path.name)
    # A join on both: a change of the model or of the rules makes other labels.
    key = ["text_hash", "label_version"]
    new = lake.scan(home, "labels").select(list(LABELS_OF_TEXT)).unique(key).collect().join(before, on=key, how="anti")
    if new.height:
        write_atomically(shared / f"{time.time_ns()}.parquet", new.write_parquet)

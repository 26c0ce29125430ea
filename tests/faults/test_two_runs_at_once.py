"""Two runs at once: each row of the lake is there once, whoever comes first; and modes of files follow the umask."""

from __future__ import annotations

import multiprocessing
import os
import stat
from datetime import timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path

import polars as pl
import pytest

from dagster_project import lake, lake_files
from dagster_project.enrichment.labeling import label_new
from dagster_project.files import write_atomically, write_json
from dagster_project.home import Home
from dagster_project.ingestion.landing import land
from dagster_project.ingestion.sources import load_sources
from models_ml.files import write_folder
from tests.faults.damage import NOW, write_sources


def _land_and_label(root: Path, sources: Path, late: int, start: Barrier) -> None:
    home = Home(root)
    start.wait()
    land(home, load_sources(sources), now=NOW + timedelta(seconds=late))
    start.wait()
    label_new(home)


def test_two_landings_and_labellings_at_once_leave_each_row_once(tmp_path: Path, models_dir: Path) -> None:
    home, sources = Home(tmp_path / "home"), write_sources(tmp_path / "exports")
    home.root.mkdir()
    home.models.symlink_to(models_dir)
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(2)
    runs = [spawn.Process(target=_land_and_label, args=(home.root, sources, late, start)) for late in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [run.exitcode for run in runs] == [0, 0]
    feedback = lake.scan(home, "feedback").select("feedback_id", "known_at", "text").collect()
    assert feedback.height == feedback.unique().height == 41  # forty, one of them corrected
    assert lake.scan(home, "releases").collect().height == 1  # it has no known_at of its own
    assert lake.scan(home, "quarantine").collect().height == 1
    labels = lake.scan(home, "labels").select("feedback_id", "known_at", "content_hash").collect()
    assert labels.height == labels.unique().height == feedback.select("feedback_id", "known_at").unique().height
    for table in ("feedback", "releases", "labels", "quarantine"):
        assert lake_files.check(home, table, deep=True) == []


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o077])
def test_modes_follow_the_umask_whatever_library_wrote_the_file(tmp_path: Path, mask: int) -> None:
    def secretive(path: Path) -> None:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))

    before = os.umask(mask)
    try:
        home = Home(tmp_path / "home")
        lake.append(home, "releases", pl.DataFrame({"release_id": ["a"], "known_at": [NOW]}))
        write_atomically(home.root / "by a library", secretive)
        write_json(home.root / "built.json", {})
        with write_folder(home.root / "model") as folder:
            secretive(folder / "model.safetensors")
            (folder / "encoder").mkdir(mode=0o700)
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in home.root.rglob("*")}
    assert len(modes) > 8
    assert {
        path: oct(mode) for path, mode in modes.items() if mode != (0o777 if path.is_dir() else 0o666) & ~mask
    } == {}

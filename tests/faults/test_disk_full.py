"""A full disk: one line that names the folder and the remedy, exit code 1, and nothing half done."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest
from click.testing import CliRunner

from dagster_project import lake
from dagster_project.cli.main import main
from dagster_project.disk import disk_error
from dagster_project.errors import DecisionError
from dagster_project.home import Home
from tests.faults.damage import write_sources

FULL = (
    OSError(errno.ENOSPC, "No space left on device", "/tmp/x"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    OSError(errno.EFBIG, "File too large"),
    duckdb.IOException('IO Error: Could not write file "/x/warehouse.duckdb": No space left on device'),
    pl.exceptions.ComputeError("No space left on device (os error 28)"),
    RuntimeError("(sqlite3.OperationalError) database or disk is full"),
    DecisionError("dbt did not finish: int_feedback: IO Error: Could not write all bytes: No space left on device"),
)


@pytest.mark.parametrize("error", FULL, ids=lambda error: type(error).__name__)
def test_a_full_disk_is_one_line_with_folder_room_and_remedy(
    tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        try:
            raise error
        except Exception as cause:
            if isinstance(error, RuntimeError):
                raise ValueError("a library wrapped it") from cause
            raise

    sources = write_sources(tmp_path / "exports")
    monkeypatch.setattr("dagster_project.loop.land", fail)
    said = CliRunner().invoke(main, ["--home", str(tmp_path / "home"), "run", "--sources", str(sources)])
    assert said.exit_code == 1
    (line,) = said.stderr.splitlines()
    assert line.startswith("error: the disk of /") and " MB free there" in line and "make room" in line


def test_another_error_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    assert disk_error(ValueError("full of errors"), Home(tmp_path)) is None
    assert disk_error(FileNotFoundError(errno.ENOENT, "No such file", "x"), Home(tmp_path)) is None
    refused = disk_error(OSError(errno.EROFS, "Read-only file system", "/x/built.json"), Home(tmp_path))
    assert str(refused).startswith("/x/built.json: Read-only file system")


_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
from dagster_project.cli.main import main
main(["--home", {home!r}, "run", "--sources", {sources!r}, "--no-send"])
"""


@pytest.mark.parametrize("limit", [600, pytest.param(9_000, marks=pytest.mark.soak)])
def test_a_run_whose_files_cannot_grow_ends_in_one_line_and_the_next_run_goes_on(
    tmp_path: Path, models_dir: Path, limit: int
) -> None:
    home, sources = Home(tmp_path / "home"), write_sources(tmp_path / "exports")
    home.root.mkdir()
    home.models.symlink_to(models_dir)
    program = _LIMITED.format(limit=limit, home=str(home.root), sources=str(sources))
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr[-2000:]
    assert done.stderr.splitlines()[-1].startswith("error: the disk of ")
    assert [path for path in home.root.rglob("*.tmp*") if "models" not in path.parts] == []
    lake.ensure_tables(home)
    for table in ("feedback", "releases", "labels"):
        lake.scan(home, table).collect()
    assert not (home.root / "broken").exists()

"""The same SQL on Spark gives the same tables: after a build of everything, and after one of what changed.

Not part of ``make test``: it needs Java 17 and the extra ``spark``. ``make test-spark`` installs the latter and
runs this.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import polars.selectors as cs
import pytest

from dagster_project import lake
from dagster_project.decisioning.changes import Plan, plan
from dagster_project.decisioning.playbook import land_playbook, load_playbook
from dagster_project.decisioning.warehouse import run_dbt
from dagster_project.home import REPOSITORY, Home
from dagster_project.measurement.scenarios import stage
from dagster_project.measurement.scenarios.casting import cast
from dagster_project.measurement.scenarios.drawing import Drawing

pytest.importorskip("pyspark", reason="the extra `spark` is not installed; run `make test-spark`")
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in")

_BUILD = ["build", "--exclude-resource-type", "unit_test"]
_TOLERANCE = 1e-9
_JSON = ("severity_terms", "evidence", "quotes")
FIRST, SECOND = stage.LOOKS[1], stage.LOOKS[3]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Worlds in which something breaks, and others in which nothing does, side by side in one lake."""
    home = Home(tmp_path_factory.mktemp("spark"))
    stage.set_up(home, [Drawing(world) for world in cast(8, 6, 5, 0.5)])
    land_playbook(home, load_playbook())
    return home


def on_both(home: Home, planned: Plan) -> Path:
    """Build on DuckDB and on Spark; returns the folder of Spark's tables."""
    import snowpark_connect_deps_iceberg as iceberg

    run_dbt(home, [*_BUILD, *planned.arguments()])
    folder = home.root / "spark_tables"
    shutil.rmtree(folder, ignore_errors=True)
    jar = next(path for path in iceberg.list_jars() if path.name.startswith("iceberg-spark-runtime-3.5_2.12"))
    environment = {
        **os.environ,
        "FEEDBACK_HOME": str(home.root),
        "FEEDBACK_ICEBERG_JAR": str(jar),
        "DBT_TARGET_PATH": str(home.root / "spark_target"),
        "DBT_LOG_PATH": str(home.root / "logs"),
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": str(REPOSITORY),
    }
    command = [sys.executable, "-m", "tests.spark.build", str(folder), *_BUILD, *planned.arguments()]
    done = subprocess.run(command, env=environment, cwd=home.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    planned.remember(home)
    return folder


def differences(home: Home, folder: Path) -> Iterator[str]:
    """What is not the same in both engines, a line per table and column."""
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        names = connection.execute(
            "select table_name from information_schema.tables where table_type = 'BASE TABLE' and table_schema = 'main'"
        ).fetchall()
        for (name,) in sorted(names):
            ours = connection.sql(f'from "{name}"').pl()
            yield from _compared(name, _plain(ours), _plain(pl.read_parquet(folder / name / "*.parquet")))


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """The same values in one type for each kind, JSON with its keys and numbers in one spelling."""
    texts = [
        pl.col(name).map_elements(_same_json, return_dtype=pl.String)
        for name in _JSON
        if frame.schema.get(name) == pl.String
    ]
    return frame.with_columns(
        cs.datetime().cast(pl.Datetime("us")).dt.replace_time_zone(None),
        cs.integer().cast(pl.Int64),
        cs.float().cast(pl.Float64),
        cs.decimal().cast(pl.Float64),
        *texts,
    )


def _same_json(text: str) -> str:
    return json.dumps(json.loads(text, parse_float=lambda number: round(float(number), 6)), sort_keys=True)


def _compared(name: str, ours: pl.DataFrame, theirs: pl.DataFrame) -> Iterator[str]:
    if set(ours.columns) != set(theirs.columns):
        yield f"{name}: columns {sorted(set(ours.columns) ^ set(theirs.columns))} are in one only"
        return
    theirs = theirs.select(ours.columns)
    numbers = ours.select(cs.float()).columns
    exact = [column for column in ours.columns if column not in numbers]
    order = [*exact, *(pl.col(column).round(6) for column in numbers)]
    one, other = ours.sort(order, nulls_last=True), theirs.sort(order, nulls_last=True)
    if one.height != other.height:
        yield f"{name}: {one.height} rows on DuckDB, {other.height} on Spark"
        return
    for column in ours.columns:
        left, right = one[column], other[column]
        if column in numbers:
            scale = pl.max_horizontal(pl.lit(1.0), left.abs(), right.abs())
            far = one.select((left - right).abs() > _TOLERANCE * scale).to_series()
            unequal = far.fill_null(False) | (left.is_null() != right.is_null())
        else:
            unequal = left.ne_missing(right)
        if unequal.any():
            place = int(unequal.arg_max() or 0)
            key = one.row(place, named=True)
            found = f"{left[place]!r} on DuckDB, {right[place]!r} on Spark"
            yield f"{name}.{column}: {unequal.sum()} of {one.height} differ, first {found}, in {key}"


def news(home: Home, now: datetime) -> None:
    """Rows that arrive late or correct earlier ones."""
    moment = pl.lit(now).cast(lake.INSTANT)
    for table, changed in (
        ("feedback", {"text": pl.lit("corrected"), "rating": pl.lit(1.0)}),
        ("labels", {"issue_type": pl.lit("app_crash"), "labeled_at": moment}),
        ("orders", {"amount": pl.col("amount") * 2}),
        ("funnel_metrics", {"entered": pl.col("entered") + 50}),
        ("service_metrics", {"errors": pl.col("errors") * 3}),
        ("releases", {"deployed_at": pl.col("deployed_at") + timedelta(hours=3)}),
    ):
        known = lake.scan(home, table).filter(pl.col("known_at") < FIRST - timedelta(days=2)).collect()
        columns = {name: value.cast(known.schema[name]) for name, value in changed.items()}
        rows = known.sort(known.columns).gather_every(max(1, known.height // 40)).with_columns(**columns)
        hashed = {"content_hash": pl.lit("changed")} if "content_hash" in rows.columns else {}
        lake.append(home, table, rows.with_columns(known_at=moment, **hashed))
    late = lake.scan(home, "feedback").filter(pl.col("known_at") < FIRST - timedelta(days=9)).collect().head(25)
    renamed = late.with_columns(feedback_id=pl.col("feedback_id") + "-late", known_at=moment)
    lake.append(home, "feedback", renamed)


def test_every_table_is_the_same_after_a_build_of_everything_and_after_one_of_what_changed(home: Home) -> None:
    everything = plan(home, FIRST)
    assert everything.rebuild_from is None
    assert list(differences(home, on_both(home, everything))) == []
    news(home, FIRST + timedelta(hours=1))
    changed = plan(home, SECOND)
    assert changed.rebuild_from is not None
    assert list(differences(home, on_both(home, changed))) == []
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        (issues, rows) = connection.execute(
            "select (select count(*) from fct_issues), (select count(*) from fct_issue_activity)"
        ).fetchall()[0]
    assert issues >= 5
    assert rows > 10_000

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
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from dagster_project.decisioning.dbt_build import BUILD, run_dbt
from dagster_project.decisioning.incremental import Plan, plan
from dagster_project.home import REPOSITORY, Home
from tests.spark import worlds
from tests.spark.comparing import differences
from tests.spark.worlds import FIRST, SECOND

pytest.importorskip("pyspark", reason="the extra `spark` is not installed; run `make test-spark`")
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in")

# The data tests run on DuckDB alone: equal tables pass the same tests, which take Spark as long as the models.
_MODELS = ("build", "--exclude-resource-type", "unit_test", "test")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("spark"))
    worlds.set_up(home)
    return home


def on_both(home: Home, planned: Plan) -> Path:
    """Build on DuckDB and on Spark; returns the folder of Spark's tables."""
    import snowpark_connect_deps_iceberg as iceberg

    run_dbt(home, [*BUILD, *planned.arguments()])
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
        # Many small queries, each run once: what a thorough compiler would gain, it never earns back.
        # So many queries overflow the code cache of such a compiler; then Java falls back to its interpreter.
        "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m",
    }
    arguments = [sys.executable, "-m", "tests.spark.build", str(folder), *_MODELS, *planned.arguments()]
    done = subprocess.run(arguments, env=environment, cwd=home.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    planned.remember(home)
    return folder


def tables(home: Home) -> Iterator[tuple[str, pl.DataFrame]]:
    """Every table of DuckDB's warehouse."""
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        names = connection.execute(
            "select table_name from information_schema.tables where table_type = 'BASE TABLE' and table_schema = 'main'"
        ).fetchall()
        for (name,) in sorted(names):
            yield name, connection.sql(f'from "{name}"').pl()


def compared(home: Home, folder: Path) -> tuple[dict[str, int], list[str]]:
    """The rows of each table, and what is not the same in both engines."""
    heights: dict[str, int] = {}
    found: list[str] = []
    for name, ours in tables(home):
        heights[name] = ours.height
        found += differences(name, ours, pl.read_parquet(folder / name / "*.parquet"))
    return heights, found


OF_PLANS = {f"int_mitigation_{name}" for name in ("acts", "effects", "measures", "outcomes", "plans")}
"""Tables that have rows once there are plans, which need issues."""

OF_TICKETS = {"fct_label_verdicts", "int_running_costs"}
"""Tables that have rows once there are tickets, which need issues as well."""

OF_MONTHS = {"int_adoption_windows", "int_adoption_differences"}
"""Tables that have rows from the fourth week after a product's first ticket on; these worlds end before."""


OF_LATE_OUTCOMES = {"int_outcome_effects"}
"""Tables of which nothing is kept until `outcome_late_days` after an act; these worlds end before."""


def test_every_table_is_the_same_after_a_build_of_everything_and_after_one_of_what_changed(home: Home) -> None:
    everything = plan(home, FIRST)
    assert everything.rebuild_from is None
    folder = on_both(home, everything)
    heights, found = compared(home, folder)
    assert not found, "\n".join(found)
    assert not [
        name for name, height in heights.items() if not height and name not in OF_PLANS | OF_TICKETS | OF_MONTHS
    ]
    assert heights["fct_issues"] >= 5
    assert heights["int_issue_activity"] > 10_000

    issues = pl.read_parquet(folder / "fct_issues" / "*.parquet")["issue_id"].sort().to_list()
    worlds.bring_news(home, FIRST + timedelta(hours=1), issues)
    changed = plan(home, SECOND)
    assert changed.rebuild_from is not None
    folder = on_both(home, changed)
    after, found = compared(home, folder)
    assert not found, "\n".join(found)
    # An empty table proves nothing; in these worlds nobody undoes a suspect, and no plan is for an issue still open.
    without_rows = {name for name, height in after.items() if not height}
    assert without_rows <= {"int_mitigation_effects", "int_mitigation_outcomes", *OF_MONTHS}
    assert after["fct_issues"] > heights["fct_issues"]
    kept: Mapping[str, int] = json.loads((folder / "kept.json").read_text(encoding="utf-8"))
    assert {"int_feedback", "fct_issues"} <= kept.keys()
    # Or Spark built everything anew, too. Before the news there was no plan.
    assert not [name for name, rows in kept.items() if not rows and name not in OF_PLANS | OF_LATE_OUTCOMES]


BASE = pl.DataFrame({"id": ["a", "b"], "score": [1.0, 2e6], "terms": ['[{"x": 1.5, "y": "é"}]', None]})


@pytest.mark.parametrize(
    "theirs",
    [
        BASE.reverse(),
        BASE.with_columns(score=pl.Series([1.0 + 9e-10, 2e6 + 1e-3])),
        BASE.with_columns(terms=pl.Series(['[ {"y":"\\u00e9","x":1.50} ]', None])),
    ],
    ids=["order", "last digits", "spelling of JSON"],
)
def test_what_does_not_matter_is_no_difference(theirs: pl.DataFrame) -> None:
    assert not list(differences("t", BASE, theirs))


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (
            BASE.with_columns(score=pl.Series([1.0, 2e6 + 3e-3])),
            "t.score: 1 of 2 rows differ, first 2000000.0 on DuckDB",
        ),
        (BASE.with_columns(score=pl.Series([None, 2e6])), "first 1.0 on DuckDB, None on Spark at id=a"),
        (BASE.with_columns(score=pl.Series([float("nan"), 2e6])), "first 1.0 on DuckDB, nan on Spark at id=a"),
        (BASE.with_columns(terms=pl.Series(['[{"x": 1.6, "y": "é"}]', None])), "t.terms: 1 of 2 rows differ"),
        (BASE.with_columns(terms=pl.lit(None, pl.String)), "None on Spark at id=a"),
        (BASE.with_columns(id=pl.Series(["a", "c"])), "t: 1 of 2 rows are on Spark only, first id=c"),
        (BASE.head(1), "t: 1 of 2 rows are on DuckDB only, first id=b"),
        (pl.concat([BASE, BASE.head(1)]), "t: 1 of 3 rows are on Spark only, first id=a"),
        (BASE.drop("terms"), "columns ['terms'] are in one engine only"),
        (BASE.with_columns(score=pl.lit("1.0")), "t.score: Float64 on DuckDB, String on Spark"),
    ],
)
def test_what_matters_is_said_with_its_place(theirs: pl.DataFrame, said: str) -> None:
    assert said in "\n".join(differences("t", BASE, theirs))


def test_of_a_long_text_the_place_that_differs_is_said() -> None:
    ours, theirs = (pl.DataFrame({"id": ["a"], "text": ["x" * 500 + end]}) for end in ("y", "z"))
    (said,) = differences("t", ours, theirs)
    assert "xy' on DuckDB" in said
    assert "xz' on Spark" in said
    assert len(said) < 250

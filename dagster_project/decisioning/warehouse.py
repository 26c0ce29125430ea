"""The decision step: dbt builds the models, then the result is published for everyone else.

dbt is the only writer of the warehouse file. After each build the warehouse is copied and swapped in atomically as
``published/warehouse.duckdb``, which analysts, the automation and the pages read without ever blocking a build; and the
outbound rows are exported as JSON Lines, ordered and byte-equal for equal inputs.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from dagster_project.decisioning.changes import plan
from dagster_project.decisioning.playbook import land_playbook, load_playbook
from dagster_project.errors import ConfigurationError, DecisionError
from dagster_project.home import DBT_PROJECT, Home

Progress = Callable[[str], None]

BUILD = ("build", "--exclude-resource-type", "unit_test")
"""A production build: seeds, models and data tests; unit tests belong in CI."""

OUTBOUND = ("out_tickets",)
"""The outbound marts, exported after every build under their own names."""


@dataclass(frozen=True)
class DecisionReport:
    """What one build decided: issues by status, open ones tied to a release, and rows per outbound mart."""

    issues_open: int
    issues_resolved: int
    regressions: int
    outbound: dict[str, int]


def decide(home: Home, *, as_of: datetime, progress: Progress = lambda _: None) -> DecisionReport:
    """Build every model as of one instant and publish the result.

    Raises:
        ConfigurationError: the playbook is wrong.
        DecisionError: dbt failed; the message names the model or test and dbt's own reason.
    """
    progress("deciding: dbt builds the models")
    build(home, as_of=as_of)
    return publish(home, progress=progress)


def build(home: Home, *, as_of: datetime, command: Sequence[str] = BUILD) -> None:
    """Bring every model up to an instant; what no change since the last build touches stands.

    Raises:
        ConfigurationError: the playbook is wrong.
        DecisionError: dbt failed; the next build makes everything anew.
    """
    land_playbook(home, load_playbook())
    planned = plan(home, as_of)
    run_dbt(home, [*command, *planned.arguments()])
    planned.remember(home)


def run_dbt(home: Home, arguments: Sequence[str]) -> None:
    """Run dbt in this process over the home's lake and warehouse.

    Raises:
        DecisionError: dbt failed; the message carries its first reasons.
    """
    from dbt.cli.main import dbtRunner

    home.root.mkdir(parents=True, exist_ok=True)
    folders = [
        "--project-dir",
        str(DBT_PROJECT),
        "--profiles-dir",
        str(DBT_PROJECT),
        "--target-path",
        str(home.root / "dbt_target"),
    ]
    with dbt_environment(home):
        outcome = dbtRunner().invoke(["--quiet", "--no-use-colors", "--log-level-file", "none", *arguments, *folders])
    _release_warehouse()
    if outcome.success:
        return
    raise DecisionError("dbt did not finish: " + ("; ".join(_failures(outcome.result)) or str(outcome.exception)))


def _release_warehouse() -> None:
    """Close the database that dbt-duckdb keeps open for the life of the process, so that others can read the file."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]


@contextmanager
def dbt_environment(home: Home) -> Iterator[None]:
    """The environment that dbt's profile reads, restored afterwards."""
    wanted = {
        "FEEDBACK_HOME": str(home.root),
        "DO_NOT_TRACK": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_LOG_PATH": str(home.root / "logs"),
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def publish(home: Home, *, progress: Progress = lambda _: None) -> DecisionReport:
    """Swap in a fresh read-only copy of the warehouse, and export the outbound rows."""
    home.published.parent.mkdir(parents=True, exist_ok=True)
    fresh = home.published.with_suffix(".fresh")
    fresh.unlink(missing_ok=True)
    if home.warehouse.with_name(home.warehouse.name + ".wal").exists():
        with duckdb.connect(str(home.warehouse)) as connection:
            connection.execute("checkpoint")  # whoever wrote it last did not close it
    shutil.copyfile(home.warehouse, fresh)
    with duckdb.connect(str(fresh)) as connection:
        # What reads the lake stays behind: it would show only what the last build had to read.
        connection.execute("drop schema if exists lake cascade")
        views = connection.execute("select view_name from duckdb_views() where not internal").fetchall()
        for (view,) in views:
            connection.execute(f'drop view "{view}"')
    fresh.replace(home.published)
    exported = {mart: _export(home, mart) for mart in OUTBOUND}
    counts = read_rows(
        home,
        "select count(*) filter (where status = 'open') as issues_open,"
        " count(*) filter (where status = 'resolved') as issues_resolved,"
        " count(*) filter (where status = 'open' and verdict = 'regression') as regressions from fct_issues",
    ).row(0, named=True)
    progress(f"decided: {counts['issues_open']} open issues, {counts['regressions']} tied to a release")
    return DecisionReport(outbound=exported, **counts)


def read_rows(home: Home, query: str, parameters: Sequence[Any] = ()) -> pl.DataFrame:
    """Rows of a query over the published warehouse.

    Raises:
        ConfigurationError: nothing has been published yet.
    """
    if not home.published.exists():
        raise ConfigurationError(
            f"no decisions in {home.root} yet; run `feedback-control run --home {home.root}` first"
        )
    with duckdb.connect(str(home.published), read_only=True) as connection:
        rows: pl.DataFrame = connection.sql(query, params=list(parameters)).pl()
    return rows


def _export(home: Home, mart: str) -> int:
    home.outbound.mkdir(parents=True, exist_ok=True)
    path = home.outbound / f"{mart}.jsonl"
    rows = read_rows(home, f"select * from {mart} order by all")
    fresh = path.with_suffix(".fresh")
    with fresh.open("w", encoding="utf-8") as lines:
        for row in rows.iter_rows(named=True):
            lines.write(json.dumps(row, default=_readable, sort_keys=True, ensure_ascii=False) + "\n")
    fresh.replace(path)
    return rows.height


def _readable(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    raise TypeError(f"an outbound column holds {type(value).__name__}, which has no JSON form")


def _failures(result: Any) -> list[str]:
    """The first failures of a dbt run, one short line each."""
    lines = []
    for item in getattr(result, "results", []) or []:
        if str(item.status) in {"error", "fail", "runtime error"}:
            reason = " ".join(str(item.message or "").split())[:300]
            lines.append(f"{item.node.name}: {reason}")
    return lines[:3]

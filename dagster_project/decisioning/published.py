"""The published copy of the warehouse: a read-only file that everybody but dbt reads, and the outbound rows.

After each build the warehouse is copied and swapped in atomically as ``published/warehouse.duckdb``, which analysts,
the automation and the pages read without ever blocking a build. The outbound rows are exported as JSON Lines, ordered
and byte-equal for equal inputs. ``read_rows`` is the one read path.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from dagster_project.errors import ConfigurationError
from dagster_project.home import Home

Progress = Callable[[str], None]

OUTBOUND = ("out_tickets",)
"""The outbound marts, exported after every build under their own names."""


@dataclass(frozen=True)
class DecisionReport:
    """What one build decided: issues by status, open ones tied to a release, and rows per outbound mart."""

    issues_open: int
    issues_resolved: int
    regressions: int
    outbound: dict[str, int]


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
        # Views of the lake stay behind: they would show only what the last build had to read. Marts may be views, too.
        connection.execute("drop schema if exists lake cascade")
        views = connection.execute(
            "select view_name from duckdb_views() where not internal and not starts_with(view_name, 'fct_')"
        ).fetchall()
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

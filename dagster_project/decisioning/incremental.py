"""What has changed since the last build, so that a build makes only that anew.

A build reads the lake as of an instant. Between two builds the instant moves on and files land; each changed row has an
earliest instant from which anything decided may differ, and the earliest of them all is where the rebuild starts. What
lies before it stands, whatever the length of history. The folder remembers each finished build in ``built.json``, and
the warehouse as that build left it: after one that failed, or a dbt run by hand, everything is built anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from dagster_project.files import write_text
from dagster_project.home import DBT_PROJECT, PLAYBOOK, Home

_WINDOW = timedelta(hours=72)
"""The longest trailing count: a change this long before an instant still shows in it."""

_REACH = timedelta(days=60)
"""How long before its onset the evidence of an issue begins (42 days), and a fortnight for onsets found late."""

_COUNTED = "case when known_at - occurred_at <= interval 3 day then known_at else occurred_at end"
_EARLIEST = {
    "feedback": _COUNTED,
    "releases": "deployed_at - interval 1 day",
    "flag_changes": "changed_at - interval 1 day",
    "service_metrics": "bucket_start",
    "funnel_metrics": "bucket_start",
    "campaigns": "started_at",
    # Issues know customers and orders as they were known at their end.
    "orders": "known_at",
    "customers": "known_at",
    # What people rejected counts for the days that begin afterwards.
    "baseline_exclusions": "known_at",
}
"""By lake table, from when on a changed row can change what was decided."""

_OTHER_VERSIONS = {
    "feedback": "min(counted_at) from built.fct_feedback where feedback_id in (select feedback_id from changed)",
    "labels": "min(counted_at) from built.fct_feedback where feedback_id in (select feedback_id from changed)",
    "releases": "min(deployed_at) - interval 1 day from {table} where release_id in (select release_id from changed)",
    "campaigns": "min(started_at) from {table} where campaign_id in (select campaign_id from changed)",
}
"""Where an earlier version of a changed row counted."""

_ALWAYS_READ = date(1970, 1, 1)

Files = dict[str, dict[str, str]]
"""By lake table, each file below it with its size and time of writing."""


@dataclass(frozen=True)
class Plan:
    """One build: as of when, and from when on (None: everything, with new tables)."""

    as_of: datetime
    rebuild_from: datetime | None
    history_from: datetime | None
    recipe: str
    files: Files

    def arguments(self) -> list[str]:
        """What dbt is told of it."""
        wanted = {"as_of": self.as_of, "rebuild_from": self.rebuild_from, "history_from": self.history_from}
        told = {name: dbt_instant(instant) for name, instant in wanted.items() if instant}
        return ["--vars", json.dumps(told), *(["--full-refresh"] if self.rebuild_from is None else [])]

    def remember(self, home: Home) -> None:
        """Note that this build is done."""
        said = {
            "as_of": self.as_of.isoformat(),
            "recipe": self.recipe,
            "warehouse": _written(home.warehouse.stat()),
            "files": self.files,
        }
        write_text(_memory(home), json.dumps(said))


def dbt_instant(instant: datetime) -> str:
    """The instant as dbt reads it: UTC, without an offset, to the microsecond."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")


def plan(home: Home, as_of: datetime) -> Plan:
    """What a build as of this instant has to make anew.

    Everything, where there was no build before, something else wrote the warehouse since, the models or the playbook
    are others now, files were taken away, or the instant lies before the last one.
    """
    recipe, files = _recipe(), _files(home)
    everything = Plan(as_of, None, None, recipe, files)
    if not (_memory(home).exists() and home.warehouse.exists()):
        return everything
    last = json.loads(_memory(home).read_text(encoding="utf-8"))
    before = datetime.fromisoformat(last["as_of"])
    gone = any(file not in files.get(table, {}) for table, own in last["files"].items() for file in own)
    touched = last["warehouse"] != _written(home.warehouse.stat())
    if last["recipe"] != recipe or touched or gone or as_of < before:
        return everything
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach '{home.warehouse}' as built (read_only)")
        earliest = min([before, *_changes(connection, home, last["files"], files, before, as_of)])
        start = (earliest - _WINDOW).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        (oldest,) = connection.execute(
            "select min(started_at) from built.fct_issues where resolved_at is null or resolved_at > $1",
            [start.replace(tzinfo=None)],
        ).fetchall()[0]
    reach = min(start, oldest.replace(tzinfo=UTC) if oldest else start) - _REACH
    return Plan(as_of, start, reach, recipe, files)


def _changes(
    connection: duckdb.DuckDBPyConnection, home: Home, old: Files, new: Files, before: datetime, as_of: datetime
) -> Iterator[datetime]:
    """From when on each table's changes matter."""
    for table in {**_EARLIEST, **_OTHER_VERSIONS}:
        own = new.get(table, {})
        landed = [file for file, written in own.items() if old.get(table, {}).get(file) != written]
        # What had landed before, but was not known yet as of the last build.
        waiting = [file for file in own.keys() - set(landed) if _may_hold(file, before, as_of)]
        if not landed and not waiting:
            continue
        parts = [
            f"select * from {_read(home, table, files)} where {since} and known_at <= {_literal(as_of)}"
            for files, since in ((landed, "true"), (waiting, f"known_at > {_literal(before)}"))
            if files
        ]
        connection.execute(f"create or replace temp table changed as {' union all by name '.join(parts)}")
        queries = [f"select min({_EARLIEST[table]}) from changed"] if table in _EARLIEST else []
        if table in _OTHER_VERSIONS:
            queries.append("select " + _OTHER_VERSIONS[table].format(table=_read(home, table, list(own))))
        for query in queries:
            (found,) = connection.execute(query).fetchall()[0]
            if found is not None:
                yield found if found.tzinfo else found.replace(tzinfo=UTC)


def _may_hold(file: str, before: datetime, as_of: datetime) -> bool:
    """Whether a file's day lies between two instants; files without a day of their own may hold anything."""
    day = date.fromisoformat(file.split("/", maxsplit=1)[0].removeprefix("ingest_date="))
    return day == _ALWAYS_READ or before.astimezone(UTC).date() <= day <= as_of.astimezone(UTC).date()


def _read(home: Home, table: str, files: Sequence[str]) -> str:
    paths = ", ".join("'" + str(home.lake / table / file).replace("'", "''") + "'" for file in files)
    return f"read_parquet([{paths}], union_by_name = true)"


def _literal(instant: datetime) -> str:
    return f"timestamptz '{instant.isoformat()}'"


def _files(home: Home) -> Files:
    files: Files = {}
    for table in {**_EARLIEST, **_OTHER_VERSIONS}:
        root = home.lake / table
        own = {path.relative_to(root).as_posix(): path.stat() for path in sorted(root.glob("*/*.parquet"))}
        files[table] = {file: _written(stat) for file, stat in own.items()}
    return files


def _written(stat: os.stat_result) -> str:
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def _recipe() -> str:
    """What the models, the seeds and the playbook say, as one hash."""
    folders = ("models", "macros", "seeds")
    sources = [path for folder in folders for path in sorted((DBT_PROJECT / folder).rglob("*")) if path.is_file()]
    said = hashlib.sha256()
    for path in (*sources, DBT_PROJECT / "dbt_project.yml", PLAYBOOK):
        said.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return said.hexdigest()


def _memory(home: Home) -> Path:
    return home.root / "built.json"

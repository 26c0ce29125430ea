"""Plan an incremental dbt build: find the earliest instant that new or changed lake files affect.

A build reads the lake as of an instant. Between two builds the instant moves on and files land; each changed row has an
earliest instant from which a decision may differ, and the earliest of them all is where the rebuild starts. Everything
before it is kept, whatever the length of history. ``built.json`` remembers each finished build with its lake files and
the warehouse it left. After a failed build, or a dbt run by hand, everything is rebuilt. The same happens, with a line
in the report, where ``built.json`` or the warehouse is broken.

The windows (lateness of a backfill, length of a trailing count) are those of the models (``windows.py``).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
from pydantic import AwareDatetime

from dagster_project import lake
from dagster_project.decisioning.published import BrokenWarehouseError, read_built
from dagster_project.decisioning.windows import WINDOWS
from dagster_project.files import read_state, tell_repair, write_text
from dagster_project.home import DBT_PROJECT, Home
from dagster_project.lake_tables import LAKE_TABLES, PLAYBOOK_TABLES

_WINDOW = timedelta(hours=WINDOWS["trailing_hours"])
"""Length of the longest trailing count: an earlier change still shows in it for so long."""

_REACH = timedelta(days=WINDOWS["candidate_days"] + WINDOWS["evidence_days"] + WINDOWS["late_onset_days"])
"""Reach of an issue's evidence before its onset: candidate changes, and the days that each is compared with."""

_BACKFILL = timedelta(days=WINDOWS["backfill_days"])
_GRACE = timedelta(days=WINDOWS["grace_days"])
_IS_BACKFILL = pl.col("known_at") - pl.col("occurred_at") > _BACKFILL

_IS_SETTLED = pl.col("known_at") - pl.col("ordered_at") > timedelta(days=WINDOWS["order_settled_days"])
_IS_NEW_REFUND = (pl.col("known_at") - pl.col("refunded_at") <= _BACKFILL).fill_null(False)

_EARLIEST = {
    "feedback": pl.when(_IS_BACKFILL).then("occurred_at").otherwise("known_at"),
    "releases": pl.col("deployed_at") - _GRACE,
    "flag_changes": pl.col("changed_at") - _GRACE,
    "service_metrics": pl.col("bucket_start"),
    "funnel_metrics": pl.col("bucket_start"),
    "campaigns": pl.col("started_at"),
    # Issues know customers and orders as they were known at their end; a day of orders changes until it is settled, and
    # then by history that is loaded late.
    "orders": pl.when(_IS_SETTLED & ~_IS_NEW_REFUND).then("ordered_at").otherwise("known_at"),
    "customers": pl.col("known_at"),
    # A rejection counts for the days that begin afterwards.
    "baseline_exclusions": pl.col("known_at"),
}
"""The earliest instant that a changed row can affect, by lake table."""

_COUNTED_IN = {"feedback": "int_feedback", "labels": "int_feedback"}
"""Model with `counted_at` of the earlier version of a changed row, by lake table."""

_MOVABLE = ("releases", "campaigns")
"""Lake tables whose rows may change their instant: the earlier versions of a changed row count as well."""

_READ_WHOLE = frozenset(
    ("ticket_events", "plan_events", "sync_runs", "sync_attempts", "sync_snapshot", *PLAYBOOK_TABLES)
)
"""Lake tables whose models are rebuilt whole by every build (the playbook itself is part of the recipe)."""

_DONE_BY_PEOPLE = ("ticket_events", "plan_events")
"""Of these, the tables by which a decision learns what was done; the others are about pushes, or part of the recipe."""

QUIET = timedelta(hours=1)
"""Longest time that a decision stands while nothing new is known; then what depends on time alone is decided anew."""

_KNOWN = frozenset({*_EARLIEST, *_COUNTED_IN})

_BUILT_FROM = tuple(sorted(name for name, table in LAKE_TABLES.items() if table.in_dbt and name not in _READ_WHOLE))

_ALWAYS_READ = date(1970, 1, 1)

Files = dict[str, dict[str, str]]
"""By lake table, each file below it with its size and time of writing."""


@dataclass(frozen=True)
class Built:
    """Content of ``built.json``: the last finished build."""

    as_of: AwareDatetime
    recipe: str
    warehouse: str
    files: Files
    done: Files = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """One build: its as-of instant, and where the rebuild starts (None: everything, with new tables)."""

    as_of: datetime
    rebuild_from: datetime | None
    history_from: datetime | None
    recipe: str
    files: Files

    def arguments(self) -> list[str]:
        """Arguments of dbt for this build."""
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
            "done": _files(home, _DONE_BY_PEOPLE),
        }
        write_text(_memory(home), json.dumps(said))


def dbt_instant(instant: datetime) -> str:
    """The instant as dbt reads it: UTC, without an offset, to the microsecond."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")


def plan(home: Home, as_of: datetime) -> Plan:
    """Plan of a build as of this instant: where the rebuild starts.

    It rebuilds everything if there was no build before, something else wrote the warehouse since, the models or the
    playbook changed, files were removed, the instant lies before the last one, a lake table changed that has no
    entry in ``_EARLIEST``, or ``built.json`` or the warehouse is broken. Call it with the warehouse's lock held.

    Raises:
        DecisionError: a dbt that was started by hand is writing the warehouse.
    """
    lake.ensure_tables(home)  # sets broken files aside
    current, files = recipe(home.playbook), _files(home)
    everything = Plan(as_of, None, None, current, files)
    last = read_state(_memory(home), Built, "all models are built anew, which takes longer than a turn does else")
    if last is None:
        return everything
    if not home.warehouse.exists():
        tell_repair(f"{home.warehouse} is missing: all models are built anew")
        return everything
    gone = any(file not in files.get(table, {}) for table, own in last.files.items() for file in own)
    touched = last.warehouse != _written(home.warehouse.stat())
    unknown = any(own != last.files.get(table, {}) for table, own in files.items() if table not in _KNOWN)
    try:
        if touched:
            read_built(home, "fct_issues", ["issue_id"])  # by a dbt that was started by hand, or is it broken?
        if last.recipe != current or touched or gone or unknown or as_of < last.as_of:
            return everything
        return _incremental(home, as_of, last, everything)
    except BrokenWarehouseError as broken:
        tell_repair(f"{broken}: all models are built anew")
        return everything


def standing_since(home: Home, as_of: datetime) -> datetime | None:
    """As-of instant of the last build if a new one would know nothing more; None if it has to be made anew.

    It stands for an hour at most, while no file of the lake that a decision reads has appeared, changed or gone, no row
    that had landed before has become known, and recipe and warehouse are those of the last build.
    In a rehearsal none stands: its instants follow a story. Call it with the warehouse's lock held.
    """
    if home.is_rehearsal or not home.warehouse.exists():
        return None
    last = read_state(_memory(home), Built, "all models are built anew, which takes longer than a turn does else")
    if last is None or not last.as_of <= as_of < last.as_of + QUIET:
        return None
    lake.ensure_tables(home)  # sets broken files aside
    files = _files(home)
    same = (last.recipe, last.warehouse, last.files, last.done) == (
        recipe(home.playbook),
        _written(home.warehouse.stat()),
        files,
        _files(home, _DONE_BY_PEOPLE),
    )
    if not same or any(_changes(home, last.files, files, last.as_of, as_of)):
        return None
    return last.as_of


def _incremental(home: Home, as_of: datetime, last: Built, everything: Plan) -> Plan:
    before, files, current = last.as_of, everything.files, everything.recipe
    earliest = min([before, *_changes(home, last.files, files, before, as_of)])
    start = (earliest - _WINDOW).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    issues = read_built(home, "fct_issues", ["started_at", "resolved_at"])
    ended = pl.col("resolved_at") <= start.replace(tzinfo=None)
    oldest = _utc(issues.filter(~ended.fill_null(False)).select(pl.min("started_at")).item())
    reach = min(start, oldest or start) - _REACH
    return Plan(as_of, start, reach, current, files)


def _changes(home: Home, old: Files, new: Files, before: datetime, as_of: datetime) -> Iterator[datetime]:
    """The earliest instant that the changes of each table affect."""
    for table in sorted(_KNOWN):
        own = new.get(table, {})
        landed = [file for file, written in own.items() if old.get(table, {}).get(file) != written]
        # Rows that had landed before, but were not known yet as of the last build.
        waiting = [file for file in own.keys() - set(landed) if _may_hold(file, before, as_of)]
        known = pl.col("known_at")
        parts = [
            lake.scan_files(home, table, files).filter(since & (known <= as_of))
            for files, since in ((landed, pl.lit(True)), (waiting, known > before))
            if files
        ]
        if not parts:
            continue
        (key,) = LAKE_TABLES[table].key[:1]
        earliest = _EARLIEST.get(table)
        read = {"known_at", key, *(earliest.meta.root_names() if earliest is not None else ())}
        changed = pl.concat([part.select(sorted(read)) for part in parts]).collect()
        found = [changed.select(earliest.min()).item()] if earliest is not None else []
        if table in _COUNTED_IN:
            earlier = read_built(home, _COUNTED_IN[table], ["counted_at"], where={key: changed[key]})
            found.append(earlier.select(pl.min("counted_at")).item())
        if table in _MOVABLE:
            versions = lake.scan_files(home, table, own).filter(pl.col(key).is_in(changed[key].implode()))
            found.append(versions.select(_EARLIEST[table].min()).collect().item())
        yield from filter(None, map(_utc, found))


def _utc(instant: datetime | None) -> datetime | None:
    """An instant of the lake or the warehouse; the warehouse's are UTC without saying so."""
    return instant.replace(tzinfo=UTC) if instant else None


def _may_hold(file: str, before: datetime, as_of: datetime) -> bool:
    """True if a file's day lies between two instants; a file without a day of its own may hold rows of any day."""
    day = date.fromisoformat(file.split("/", maxsplit=1)[0].removeprefix("ingest_date="))
    return day == _ALWAYS_READ or before.astimezone(UTC).date() <= day <= as_of.astimezone(UTC).date()


def _files(home: Home, tables: Iterable[str] = _BUILT_FROM) -> Files:
    files: Files = {}
    for table in tables:
        root = home.lake / table
        own = {path.relative_to(root).as_posix(): path.stat() for path in sorted(root.glob("*/*.parquet"))}
        files[table] = {file: _written(stat) for file, stat in own.items()}
    return files


def _written(stat: os.stat_result) -> str:
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def recipe(playbook: Path) -> str:
    """Hash of the dbt project and the playbook; a change of it forces a full build."""
    folders = ("models", "macros", "seeds", "tests")
    sources = [path for folder in folders for path in sorted((DBT_PROJECT / folder).rglob("*")) if path.is_file()]
    said = hashlib.sha256()
    for path in (*sources, DBT_PROJECT / "dbt_project.yml", playbook):
        said.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return said.hexdigest()


def forget_build(home: Home) -> None:
    """Forget the last build, so that the next one makes everything anew."""
    with suppress(IsADirectoryError, PermissionError):  # a folder is no memory either, and is reported by ``plan``
        _memory(home).unlink(missing_ok=True)


def _memory(home: Home) -> Path:
    return home.root / "built.json"

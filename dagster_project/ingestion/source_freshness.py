"""Freshness of each source: the newest row that it brought, and an alarm once it has been silent for too long.

The lake is the memory: every row carries the name of its source. A source that has never brought a row is measured
from the first run that looked for it (``lake/_landed/sources.json``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
from pydantic import AwareDatetime

from dagster_project import lake
from dagster_project.files import locked, read_state, write_json
from dagster_project.home import Home
from dagster_project.ingestion.marks import all_marks, marks_folder
from dagster_project.ingestion.reading import SourceLine
from dagster_project.ingestion.sources import SourceConfig

OCCURRED = {
    "feedback": "occurred_at",
    "releases": "deployed_at",
    "flag_changes": "changed_at",
    "service_metrics": "bucket_start",
    "funnel_metrics": "bucket_start",
    "orders": "ordered_at",
    "customers": "known_at",
    "campaigns": "started_at",
}
"""By input table, the column that says when a row happened."""


@dataclass(frozen=True)
class Newest:
    """The newest row of one source."""

    occurred_at: datetime
    known_at: datetime


def note_freshness(home: Home, sources: Sequence[SourceConfig], lines: Iterable[SourceLine], now: datetime) -> None:
    """Fill each line's newest instants, and ``silent_since`` where its source has been silent for too long."""
    newest, first_seen = _newest_rows(home, {source.target for source in sources}), _first_seen(home)
    configured = {source.name: source for source in sources}
    for line in lines:
        found = newest.get((line.table, line.source))
        if found:
            line.newest_occurred_at, line.newest_known_at = found.occurred_at, found.known_at
        since = found.known_at if found else first_seen.get(line.source, now)
        allowed = configured[line.source].allowed_silence
        line.silent_since = since if allowed is not None and now - since > allowed else None


def silence(line: SourceLine, allowed: timedelta | None = None) -> str:
    """The alarm about a silent source as one line with its remedy; empty while it is not silent."""
    if line.silent_since is None:
        return ""
    limit = f" (allowed: {_in_words(allowed)})" if allowed else ""
    return (
        f"{line.source}: nothing new since {line.silent_since:%Y-%m-%d %H:%M} UTC{limit}; look whether the export"
        " still runs, or set `silent_after` (`never` for a source that has ended)"
    )


def remember_sources(home: Home, sources: Iterable[SourceConfig], now: datetime) -> None:
    """Note the first run that looked for each source."""
    with locked(home.lake / "_locks" / "sources.lock"):
        remembered = _remembered(home)
        known = _first_marked(home) if remembered is None else remembered
        new = {source.name: now for source in sources if source.name not in known}
        if new or (known and remembered is None):
            write_json(_memory(home), {name: instant.isoformat() for name, instant in {**known, **new}.items()})


def first_day(home: Home) -> date:
    """Day of the first landing in this home; today before there was one."""
    return min(_first_seen(home).values(), default=datetime.now(UTC)).astimezone(UTC).date()


def _first_seen(home: Home) -> dict[str, datetime]:
    """First run that looked for each source; by the marks of its files where that is not on record."""
    remembered = _remembered(home)
    return _first_marked(home) if remembered is None else remembered


def _remembered(home: Home) -> dict[str, datetime] | None:
    return read_state(_memory(home), dict[str, AwareDatetime], "sources count from the first reading of their files")


def _first_marked(home: Home) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for mark in all_marks(home).values():
        found[mark.source] = min(mark.first_seen, found.get(mark.source, mark.first_seen))
    return found


def _memory(home: Home) -> Path:
    return marks_folder(home) / "sources.json"


def _newest_rows(home: Home, tables: Iterable[str]) -> dict[tuple[str, str], Newest]:
    """The newest row by table and source; ``loaded_from`` is ``source:file``."""
    newest = {}
    for table in sorted(tables):
        if not (home.lake / table).is_dir():
            continue
        by_source = pl.col("loaded_from").str.split(":").list.first().alias("by_source")
        rows = (
            lake.scan(home, table)
            .group_by(by_source)
            .agg(pl.max(OCCURRED[table]).alias("at"), pl.max("known_at").alias("known"))
        )
        for source, at, known in rows.collect().iter_rows():
            newest[table, source] = Newest(at, known)
    return newest


def _in_words(span: timedelta) -> str:
    hours = round(span.total_seconds() / 3600)
    return f"{hours // 24} d" if hours and hours % 24 == 0 else f"{hours} h"

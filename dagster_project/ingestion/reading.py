"""Reading of one file or API answer: map, validate, version and land its rows; quarantine the rest.

Every problem becomes one actionable line, and every record is counted exactly once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Literal

import polars as pl

from dagster_project import lake
from dagster_project.home import Home
from dagster_project.ingestion.contracts import TABLES
from dagster_project.ingestion.mapping import MappedRecord, map_records, missing_columns
from dagster_project.ingestion.readers import DEFAULTS
from dagster_project.ingestion.records import Record, Reject, Tally, raw
from dagster_project.ingestion.sources import SourceConfig
from dagster_project.ingestion.validation import validate
from dagster_project.ingestion.versions import Moment, new_versions
from dagster_project.lake_tables import schema_of
from dagster_project.outgoing import clean, excerpt

BATCH = 50_000
"""Records per batch: as Python objects they take much more memory than as rows."""

_OWN_NAMES = {"generic", "nps"}
"""Readers that pass the file's own columns; only for these an override is reported."""


State = Literal["read", "empty", "damaged", "unreadable", "missing"]
"""State of a source: all of it read, no row in any file, a file lost, every file lost, or no file there."""


@dataclass
class SourceLine:
    """Report on one source: every record read is in exactly one of the counts after ``read``.

    ``files`` were read in this run and ``files_unchanged`` before; ``problem`` says what to do unless ``state`` is
    ``read``. ``silent_since`` is set once nothing new has come for longer than the source's ``silent_after``.
    """

    source: str
    table: str
    reader: str = "generic"
    state: State = "read"
    problem: str = ""
    files: int = 0
    files_unchanged: int = 0
    read: int = 0
    landed: int = 0
    changed: int = 0
    unchanged: int = 0
    quarantined: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    newest_occurred_at: datetime | None = None
    newest_known_at: datetime | None = None
    silent_since: datetime | None = None

    @property
    def is_unread(self) -> bool:
        """True if nothing of the source could be read."""
        return self.state in ("missing", "unreadable")

    def fail(self, state: State, problem: str) -> None:
        """Note a failure; the first problem is kept."""
        self.state, self.problem = state, self.problem or problem


@dataclass
class Reading:
    """Reading in progress of one file or answer; ``said`` collects the content hashes of its valid rows."""

    home: Home
    source: SourceConfig
    line: SourceLine
    moment: Moment
    origin: str
    problems: list[str]
    tally: Tally = field(default_factory=Tally)
    rejects: list[Reject] = field(default_factory=list)
    said: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.String))

    def land(self, records: Iterator[Record | Reject]) -> None:
        """Land valid rows, also if reading fails halfway.

        Raises:
            SourceError: the input, or the rest of it, cannot be read.
        """
        source = self.source
        defaults: dict[str, object] = {"source": source.name if source.reader == "generic" else source.reader}
        defaults |= DEFAULTS.get(source.reader, {})
        valid: list[pl.DataFrame] = []
        try:
            while batch := list(islice(records, BATCH)):
                good = [item for item in batch if isinstance(item, Record)]
                names = map_records(good, source, defaults)
                self.line.read += len(batch)
                self.rejects += [item for item in batch if isinstance(item, Reject)]
                self._note(good, names)
                part = validate(good, names, source, f"{source.name}:{self.origin}")
                self.rejects += part.rejects
                valid.append(part.rows)
        finally:
            if valid:
                self._append(pl.concat(valid))

    def close(self) -> None:
        """Quarantine the rejects and report them, one line per kind."""
        where = f"{self.source.name}: {self.origin}"
        self._quarantine(self.rejects)
        if self.rejects:
            self.problems.append(_in_one_line(self.source, self.origin, self.rejects))
        for reason, count in self.tally.skipped.items():
            self.line.skipped[reason] = self.line.skipped.get(reason, 0) + count
            self.problems.append(f"{where}: left out {count:,} × {reason}")
        self.line.read += sum(self.tally.skipped.values())
        self.problems += [f"{where}: {note}" for note in self.tally.notes()]

    def _append(self, rows: pl.DataFrame) -> None:
        rows = rows.with_columns(pl.int_range(pl.len()).alias("position"))
        versions = new_versions(self.home, self.source, rows, self.moment)
        table = self.source.target
        for part in rows.drop("known_at").iter_slices(BATCH):
            rows_of_part = part.join(versions.places, on="position", maintain_order="left")
            lake.append(self.home, table, rows_of_part.select(list(schema_of(table))))
        self.said = rows["content_hash"].unique()
        contradictions = rows.filter(pl.col("position").is_in(versions.contradictions))
        self.line.landed += versions.new_keys
        self.line.changed += versions.places.height - versions.new_keys
        self.line.unchanged += rows.height - versions.places.height - contradictions.height
        self.rejects += [_contradiction(table, row) for row in contradictions.iter_rows(named=True)]

    def _note(self, records: list[Record], names: list[MappedRecord]) -> None:
        """Report missing and overridden columns."""
        missing = missing_columns(names, self.source) if names else []
        if missing:
            has = ", ".join(excerpt(name, 40) for name in list(records[0].values)[:12])
            self.problems.append(
                f"{self.source.name}: {self.origin} has no column for {', '.join(missing)} (it has {has}); "
                "use `renames`"
            )
        if self.source.reader in _OWN_NAMES:
            for record, one in zip(records, names, strict=True):
                for what, value in one.replaced.items():
                    self.tally.replace(what, value, record.line)

    def _quarantine(self, rejects: Iterable[Reject]) -> None:
        rows = []
        for reject in rejects:
            identity = "\x1f".join([self.source.name, self.origin, str(reject.line), reject.reason, reject.raw])
            rows.append(
                {
                    "quarantine_id": hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:24],
                    "table": self.source.target,
                    "source": self.source.name,
                    "file": self.origin,
                    "line": reject.line,
                    "reason": clean(reject.reason),
                    "raw": raw(reject.raw).replace("\x00", "").encode("utf-8", "replace").decode(),
                    "known_at": self.moment.known,
                }
            )
        self.line.quarantined += len(rows)
        frame = pl.DataFrame(rows, schema=schema_of("quarantine")).unique("quarantine_id", maintain_order=True)
        held = lake.scan(self.home, "quarantine").select("quarantine_id").collect()
        lake.append(self.home, "quarantine", frame.join(held, on="quarantine_id", how="anti"))


def _contradiction(table: str, row: dict[str, object]) -> Reject:
    key = ", ".join(f"{name} {row[name]!r}" for name in TABLES[table].key)
    line = row["line"]
    return Reject(
        f"another row of this file has the same {key} and says otherwise; the first was kept; "
        "to land both as versions, give each its own `updated_at` or `known_at`",
        line if isinstance(line, int) else None,
        raw(json.dumps({name: row[name] for name in schema_of(table)}, default=str, ensure_ascii=False)),
    )


def _in_one_line(source: SourceConfig, file: str, rejects: Sequence[Reject]) -> str:
    first = rejects[0]
    where = f" line {first.line}" if first.line else ""
    more = f" (and {len(rejects) - 1:,} more)" if len(rejects) > 1 else ""
    name = file.rpartition("/")[2]
    reason = first.reason.removeprefix(f"{name} ").removeprefix(f"{name}: ")
    return clean(f"{source.name}: {file}{where}: {reason}{more}; see the quarantine table")

"""Reading of one file or API answer: map, validate, version and land its rows; quarantine the rest.

Every problem becomes one actionable line, and every record is counted exactly once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import polars as pl

from dagster_project import lake
from dagster_project.errors import SourceError
from dagster_project.home import Home
from dagster_project.ingestion.batches import BATCH, batches
from dagster_project.ingestion.contracts import TABLES
from dagster_project.ingestion.isolation import explain, one_line
from dagster_project.ingestion.limits import LimitError
from dagster_project.ingestion.mapping import MappedRecord, map_records, missing_columns
from dagster_project.ingestion.marks import SAID
from dagster_project.ingestion.plausibility import without_future
from dagster_project.ingestion.readers import DEFAULTS
from dagster_project.ingestion.records import Record, Reject, Tally, as_raw, raw
from dagster_project.ingestion.sources import SourceConfig
from dagster_project.ingestion.validation import validate
from dagster_project.ingestion.versions import Moment, new_versions
from dagster_project.lake_tables import INSTANT, schema_of
from dagster_project.outgoing import clean, excerpt

_REJECTS_AT_ONCE = 2_000
_ODD_ROWS = 100
"""Rows of a file on which validation may raise before the file is given up: each costs a bisection."""

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
        self.state, self.problem = state, self.problem or one_line(problem)


@dataclass
class Reading:
    """Reading in progress of one file or answer.

    ``said`` collects content hash and ``known_at`` of its valid rows. ``known_before`` is the same of an earlier
    reading: rows that the lake has lost since land with those instants.
    """

    home: Home
    source: SourceConfig
    line: SourceLine
    moment: Moment
    origin: str
    problems: list[str]
    tally: Tally = field(default_factory=Tally)
    rejected: int = 0
    first_reject: Reject | None = None
    waiting: list[Reject] = field(default_factory=list)
    odd: int = 0
    said: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SAID))
    known_before: pl.DataFrame | None = None

    def land(self, records: Iterator[Record | Reject]) -> None:
        """Land valid rows, also if reading fails halfway.

        Raises:
            SourceError: the input, or the rest of it, cannot be read.
        """
        source = self.source
        defaults: dict[str, object] = {"source": source.name if source.reader == "generic" else source.reader}
        defaults |= DEFAULTS.get(source.reader, {})
        valid: list[pl.DataFrame] = []
        limits = source.limits
        try:
            for batch in batches(records, limits, self.origin):
                good = [item for item in batch if isinstance(item, Record)]
                self.line.read += len(batch)
                self.reject(item for item in batch if isinstance(item, Reject))
                valid += self._valid(good, defaults)
                if self.rejected > limits.rejects:
                    raise LimitError("too many of its records cannot be read", "rejects", limits.value("rejects"))
        finally:
            if valid:
                self._append(pl.concat(valid))

    def reject(self, rejects: Iterable[Reject]) -> None:
        """Quarantine rejects, a bounded number at a time."""
        for one in rejects:
            self.rejected += 1
            self.first_reject = self.first_reject or one
            self.waiting.append(one)
            if len(self.waiting) >= _REJECTS_AT_ONCE:
                self._quarantine()

    def close(self) -> None:
        """Quarantine the rest of the rejects and report them, one line per kind."""
        where = f"{self.source.name}: {self.origin}"
        self._quarantine()
        if self.first_reject:
            self.problems.append(_in_one_line(self.source, self.origin, self.first_reject, self.rejected))
        for reason, count in self.tally.skipped.items():
            self.line.skipped[reason] = self.line.skipped.get(reason, 0) + count
            self.problems.append(f"{where}: left out {count:,} × {reason}")
        self.line.read += sum(self.tally.skipped.values())
        self.problems += [f"{where}: {note}" for note in self.tally.notes()]

    @property
    def _present(self) -> datetime | None:
        """Instant that bounds what rows may say; None in a replay home, whose rows are of another present."""
        return None if self.home.kind == "replay" else self.moment.known

    def _valid(self, records: Sequence[Record], defaults: dict[str, object]) -> list[pl.DataFrame]:
        """Valid rows of a batch. If a rule or a conversion raises, halves are tried, so that one odd row costs one row.

        Raises:
            SourceError: a setting does not fit, or row after row raises.
        """
        try:
            names = map_records(records, self.source, defaults)
            part = validate(records, names, self.source, f"{self.source.name}:{self.origin}", self._present)
        except (SourceError, MemoryError):
            raise
        except Exception as error:
            if len(records) == 1:
                self.odd += 1
                if self.odd > _ODD_ROWS:
                    raise
                said = explain(error, self.source.reader)
                self.reject([Reject(f"the row cannot be validated: {said}", records[0].line, records[0].raw())])
                return []
            half = len(records) // 2
            return [*self._valid(records[:half], defaults), *self._valid(records[half:], defaults)]
        self._note(records, names)
        self.reject(part.rejects)
        return [part.rows]

    def said_since(self, before: pl.DataFrame | None) -> pl.DataFrame:
        """``said``, with the instants of an earlier reading for rows that had landed before."""
        if before is None:
            return self.said
        joined = self.said.join(before, on="content_hash", how="left", suffix="_before")
        return joined.select("content_hash", pl.coalesce("known_at", "known_at_before").alias("known_at"))

    def _append(self, rows: pl.DataFrame) -> None:
        """Append the rows that the lake lacks; whoever lands into the same table waits meanwhile."""
        if now := self._present:
            rows, note = without_future(rows, now)
            self.problems += [f"{self.source.name}: {self.origin}: {note}"] if note else []
        rows = rows.with_columns(pl.int_range(pl.len()).alias("position"))
        table = self.source.target
        with lake.lock_table(self.home, table):
            returned = self._returning(rows)
            self._put(rows, returned)
            others = rows.join(returned, on="position", how="anti", maintain_order="left")
            versions = new_versions(self.home, self.source, others, self.moment)
            self._put(rows, versions.places)
        places = pl.concat([returned, versions.places])
        landed = rows.select("position", "content_hash").join(places, on="position", how="left")
        self.said = landed.group_by("content_hash").agg(pl.min("known_at"))
        contradictions = rows.filter(pl.col("position").is_in(versions.contradictions))
        self.line.landed += versions.new_keys + returned.height
        self.line.changed += versions.places.height - versions.new_keys
        excess = rows.filter(pl.col("position").is_in(versions.excess))
        self.line.unchanged += rows.height - places.height - contradictions.height - excess.height
        self.reject(_contradiction(table, row) for row in contradictions.iter_rows(named=True))
        most = self.source.limits.versions
        self.reject(_excess(table, row, most) for row in excess.iter_rows(named=True))

    def _put(self, rows: pl.DataFrame, places: pl.DataFrame) -> None:
        """Append the rows at these positions, with their ``known_at``."""
        for part in rows.drop("known_at").iter_slices(BATCH):
            rows_of_part = part.join(places, on="position", maintain_order="left")
            lake.append(self.home, self.source.target, rows_of_part.select(list(schema_of(self.source.target))))

    def _returning(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Positions of rows that the lake has lost, with the very instants that they had: their order is known."""
        if self.known_before is None:
            return pl.DataFrame(schema={"position": pl.Int64, "known_at": INSTANT})
        before = self.known_before.drop_nulls()
        found = (
            rows.select("position", "content_hash").unique("content_hash", keep="first").join(before, "content_hash")
        )
        held = lake.scan(self.home, self.source.target).select("content_hash", "known_at").collect()
        lost = found.join(held, on=["content_hash", "known_at"], how="anti")
        return lost.select("position", "known_at").sort("position")

    def _note(self, records: Sequence[Record], names: list[MappedRecord]) -> None:
        """Report missing and overridden columns."""
        missing = missing_columns(names, self.source) if names else []
        if missing:
            has = ", ".join(excerpt(name, 40) for name in list(records[0].values)[:12])
            problem = (
                f"{self.source.name}: {self.origin} has no column for {', '.join(missing)} (it has {has}); "
                "use `renames`"
            )
            if problem not in self.problems[-1:]:  # said of the batch before
                self.problems.append(problem)
        if self.source.reader in _OWN_NAMES:
            for record, one in zip(records, names, strict=True):
                for what, value in one.replaced.items():
                    self.tally.replace(what, value, record.line)

    def _quarantine(self) -> None:
        rows = []
        for reject in self.waiting:
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
        self.waiting = []
        self.line.quarantined += len(rows)
        frame = pl.DataFrame(rows, schema=schema_of("quarantine")).unique("quarantine_id", maintain_order=True)
        with lake.lock_table(self.home, "quarantine"):
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


def _excess(table: str, row: dict[str, object], most: int) -> Reject:
    key = ", ".join(f"{name} {row[name]!r}" for name in TABLES[table].key)
    line = row["line"]
    return Reject(
        f"the file holds more than {most:,} versions of {key} (`limits.versions`); the latest were kept",
        line if isinstance(line, int) else None,
        as_raw({name: row[name] for name in schema_of(table)}),
    )


def _in_one_line(source: SourceConfig, file: str, first: Reject, count: int) -> str:
    where = f" line {first.line}" if first.line else ""
    more = f" (and {count - 1:,} more)" if count > 1 else ""
    name = file.rpartition("/")[2]
    reason = first.reason.removeprefix(f"{name} ").removeprefix(f"{name}: ")
    return clean(f"{source.name}: {file}{where}: {reason}{more}; see the quarantine table")

"""Landing: every configured source into the lake, once, with nothing lost.

A file is read again only when its content or the way to read it has changed; a row lands again only when its content
has changed. So rerunning, or dying half-way and rerunning, changes nothing. What could not be read is in quarantine
with its reason, file, line and raw text. One failing source does not stop the others; its problem is in the report.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

import httpx
import polars as pl

from dagster_project import lake
from dagster_project.errors import SourceError
from dagster_project.home import Home
from dagster_project.ingestion.contracts import TABLES, schema_of
from dagster_project.ingestion.readers import API_READERS, DEFAULTS, FILE_READERS
from dagster_project.ingestion.records import Record, Reject, Tally
from dagster_project.ingestion.shaping import missing_columns, shape
from dagster_project.ingestion.sources import SourceConfig

Progress = Callable[[str], None]

_BATCH = 50_000
"""Records shaped at once: bounds memory on large exports."""


@dataclass
class SourceLine:
    """What came of one source: every record read is in exactly one of the counts after ``read``."""

    source: str
    table: str
    files: int = 0
    files_unchanged: int = 0
    read: int = 0
    landed: int = 0
    changed: int = 0
    unchanged: int = 0
    quarantined: int = 0
    skipped: dict[str, int] = field(default_factory=dict)


@dataclass
class LandingReport:
    """What came of every source, and one line per problem that a person should know of."""

    lines: list[SourceLine] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def quarantined(self) -> int:
        """Records that went to quarantine in this run."""
        return sum(line.quarantined for line in self.lines)


def ensure_lake(home: Home) -> None:
    """Make every lake table that ingestion and automation fill, empty and typed, if it is not there."""
    for table in (*TABLES, "quarantine", "ticket_events"):
        lake.ensure_table(home, table, schema_of(table))


def land(
    home: Home,
    sources: Sequence[SourceConfig],
    *,
    now: datetime,
    window: tuple[datetime, datetime] | None = None,
    progress: Progress = lambda _: None,
) -> LandingReport:
    """Land what is new at every source.

    Args:
        home: where the lake is.
        sources: what to read.
        now: becomes ``known_at`` of rows that do not bring one.
        window: the time to ask APIs for; without it, the day before ``now``.
        progress: told of every file.
    """
    ensure_lake(home)
    report = LandingReport()
    span = window or (now.replace(hour=0, minute=0, second=0, microsecond=0), now)
    for source in sources:
        line = SourceLine(source.name, source.target)
        report.lines.append(line)
        try:
            if source.path:
                _land_files(home, source, line, now, report.problems, progress)
            else:
                _land_api(home, source, line, now, span)
        except SourceError as error:
            report.problems.append(str(error))
    total = sum(line.landed for line in report.lines)
    progress(f"landed {total:,} new rows, {report.quarantined:,} in quarantine, {len(report.problems)} notes")
    return report


def _land_files(
    home: Home, source: SourceConfig, line: SourceLine, now: datetime, problems: list[str], progress: Progress
) -> None:
    for path in source.files():
        place = hashlib.sha256(f"{source.name}\x1f{path}".encode()).hexdigest()[:24]
        mark = home.lake / "_landed" / f"{place}.json"
        # What the file held *last* counts: one that went back to earlier content has changed, and is read again.
        state = f"{_digest(path)}-{source.fingerprint()}"
        if mark.exists() and json.loads(mark.read_text(encoding="utf-8"))["state"] == state:
            line.files_unchanged += 1
            continue
        tally = Tally()
        rejects: list[Reject] = []
        try:
            records = FILE_READERS[source.reader](path, source, tally)
            _land_records(home, source, line, records, rejects, now, path.name, problems)
        except SourceError as error:
            rejects.append(Reject(str(error)))
        _quarantine(home, source, line, rejects, now, path.name)
        if rejects:
            problems.append(_in_one_line(source, path.name, rejects))
        for reason, count in tally.skipped.items():
            line.skipped[reason] = line.skipped.get(reason, 0) + count
            problems.append(f"{source.name}: {path.name}: left out {count:,} × {reason}")
        line.read += sum(tally.skipped.values())
        problems += [f"{source.name}: {path.name}: {count:,} × {what}" for what, count in tally.mended.items()]
        line.files += 1
        progress(f"{source.name}: {path.name}: {line.landed:,} rows so far")
        _write_mark(
            mark,
            {"state": state, "file": path.name, "source": source.name, "landed_at": now.isoformat(), **asdict(line)},
        )


def _land_api(
    home: Home, source: SourceConfig, line: SourceLine, now: datetime, span: tuple[datetime, datetime]
) -> None:
    rejects: list[Reject] = []
    with httpx.Client(timeout=30) as client:
        records = API_READERS[source.reader](source, span, client)
        _land_records(home, source, line, records, rejects, now, source.url, [])
    _quarantine(home, source, line, rejects, now, source.url)


def _land_records(
    home: Home,
    source: SourceConfig,
    line: SourceLine,
    records: Iterator[Record | Reject],
    rejects: list[Reject],
    now: datetime,
    origin: str,
    problems: list[str],
) -> None:
    defaults = DEFAULTS.get(source.reader, {}) | {
        "source": source.name if source.reader == "generic" else source.reader
    }
    defaults = {**defaults, **DEFAULTS.get(source.reader, {})}
    while batch := list(islice(records, _BATCH)):
        line.read += len(batch)
        rejects += [item for item in batch if isinstance(item, Reject)]
        good = [item for item in batch if isinstance(item, Record)]
        missing = missing_columns(good, source, defaults) if good else []
        if missing:
            has = ", ".join(list(good[0].values)[:12])
            problems.append(
                f"{source.name}: {origin} has no column for {', '.join(missing)} (it has {has}); use `renames`"
            )
        shaped = shape(good, source, defaults, f"{source.name}:{origin}")
        rejects += shaped.rejects
        rejects += _append_new(home, source.target, shaped.rows, line, now)


def _append_new(home: Home, table: str, rows: pl.DataFrame, line: SourceLine, now: datetime) -> list[Reject]:
    """Append the rows that the lake does not hold yet; returns rows that contradict another of the same batch."""
    key = list(TABLES[table].key)
    rows = rows.with_columns(pl.col("known_at").fill_null(now).dt.cast_time_unit("us"))
    # Within a batch the first of a key wins: an identical copy is a repeat, a different one is a contradiction.
    first = rows.unique(key, keep="first", maintain_order=True)
    repeats = rows.join(
        first.select(*key, pl.col("content_hash").alias("first_hash")), on=key, how="left", nulls_equal=True
    ).filter(~pl.col("position").is_in(first["position"].to_list()))
    contradictions = repeats.filter(pl.col("content_hash") != pl.col("first_hash"))
    line.unchanged += repeats.height - contradictions.height
    held = (
        lake.scan(home, table)
        .select(*key, pl.col("content_hash").alias("held_hash"), "known_at")
        .sort("known_at")
        .unique(key, keep="last")
        .drop("known_at")
        .collect()
    )
    compared = first.join(held, on=key, how="left", nulls_equal=True)
    fresh = compared.filter(pl.col("held_hash").is_null())
    changed = compared.filter(pl.col("held_hash").is_not_null() & (pl.col("held_hash") != pl.col("content_hash")))
    line.landed += fresh.height
    line.changed += changed.height
    line.unchanged += compared.height - fresh.height - changed.height
    columns = list(schema_of(table))
    lake.append(home, table, pl.concat([fresh, changed]).select(columns))
    return [
        Reject(
            "another row of this file has the same "
            + ", ".join(f"{name} {row[name]!r}" for name in key)
            + " and says otherwise; the first was kept",
            row["line"],
            json.dumps({name: row[name] for name in columns}, default=str, ensure_ascii=False)[:10_000],
        )
        for row in contradictions.iter_rows(named=True)
    ]


def _quarantine(
    home: Home, source: SourceConfig, line: SourceLine, rejects: Iterable[Reject], now: datetime, origin: str
) -> None:
    rows = []
    for reject in rejects:
        identity = "\x1f".join([source.name, origin, str(reject.line), reject.reason, reject.raw])
        rows.append(
            {
                "quarantine_id": hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:24],
                "table": source.target,
                "source": source.name,
                "file": origin,
                "line": reject.line,
                "reason": reject.reason,
                "raw": reject.raw.replace("\x00", "").encode("utf-8", "replace").decode(),
                "known_at": now,
            }
        )
    line.quarantined += len(rows)
    frame = pl.DataFrame(rows, schema=schema_of("quarantine")).unique("quarantine_id", maintain_order=True)
    held = lake.scan(home, "quarantine").select("quarantine_id").collect()
    lake.append(home, "quarantine", frame.join(held, on="quarantine_id", how="anti"))


def _in_one_line(source: SourceConfig, file: str, rejects: Sequence[Reject]) -> str:
    first = rejects[0]
    where = f" line {first.line}" if first.line else ""
    more = f" (and {len(rejects) - 1:,} more)" if len(rejects) > 1 else ""
    reason = first.reason.removeprefix(f"{file} ").removeprefix(f"{file}: ")
    return f"{source.name}: {file}{where}: {reason}{more}; see the quarantine table"


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _write_mark(mark: Path, content: dict[str, object]) -> None:
    mark.parent.mkdir(parents=True, exist_ok=True)
    fresh = mark.with_suffix(".fresh")
    fresh.write_text(json.dumps(content, indent=1), encoding="utf-8")
    fresh.replace(mark)

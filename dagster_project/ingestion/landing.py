"""Landing: every configured source into the lake, once, with nothing lost.

A file is read again only when its content or the way to read it has changed; a row lands again only when its content
has changed. So rerunning, or dying half-way and rerunning, changes nothing. What could not be read is in quarantine
with its reason, file, line and raw text. One failing source does not stop the others; its problem is in the report.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import polars as pl

from dagster_project import lake
from dagster_project.errors import SourceError
from dagster_project.files import write_atomically, write_text
from dagster_project.home import Home
from dagster_project.ingestion.readers import API_READERS, FILE_READERS
from dagster_project.ingestion.reading import Reading, SourceLine
from dagster_project.ingestion.records import Reject
from dagster_project.ingestion.sources import SourceConfig
from dagster_project.ingestion.versions import Moment

Progress = Callable[[str], None]

_APART = timedelta(milliseconds=1)
"""Between the readings of one run, so that of two files with the same row the later one is current."""


@dataclass
class LandingReport:
    """What came of every source, and one line per problem that a person should know of."""

    lines: list[SourceLine] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def quarantined(self) -> int:
        """Records that went to quarantine in this run."""
        return sum(line.quarantined for line in self.lines)


@dataclass(frozen=True)
class _Task:
    """One thing to read: a file that has something new, or an API (without ``path``)."""

    source: SourceConfig
    line: SourceLine
    path: Path | None = None
    origin: str = ""
    digest: str = ""
    mark: Path = Path()


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
        sources: what to read; of the same row in two of them the later is current.
        now: becomes ``known_at`` of rows that do not bring one, some milliseconds earlier for all but the last file.
        window: the time to ask APIs for; without it, the day before ``now``.
        progress: told of every file.
    """
    lake.ensure_tables(home)
    report = LandingReport()
    span = window or (now.replace(hour=0, minute=0, second=0, microsecond=0), now)
    tasks: list[_Task] = []
    for source in sources:
        line = SourceLine(source.name, source.target)
        report.lines.append(line)
        try:
            tasks += _new_files(home, source, line, report.problems) if source.path else [_Task(source, line)]
        except SourceError as error:
            report.problems.append(str(error))
    for number, task in enumerate(tasks, start=1):
        known = now - (len(tasks) - number) * _APART
        try:
            if task.path is None:
                _land_api(home, task, known, report.problems, span)
            else:
                _land_file(home, task, task.path, known, report.problems)
                progress(f"{task.source.name}: {task.origin}: {task.line.landed:,} rows so far")
        except SourceError as error:
            report.problems.append(str(error))
    total = sum(line.landed for line in report.lines)
    progress(f"landed {total:,} new rows, {report.quarantined:,} in quarantine, {len(report.problems)} notes")
    return report


def _new_files(home: Home, source: SourceConfig, line: SourceLine, problems: list[str]) -> list[_Task]:
    """The source's files that are not just as they were when they were last read."""
    found = source.find()
    problems += found.notes
    tasks = []
    for path in found.files:
        place = hashlib.sha256(f"{source.name}\x1f{path}".encode()).hexdigest()[:24]
        mark = home.lake / "_landed" / f"{place}.json"
        try:
            digest = _digest(path)
        except OSError as error:
            problems.append(f"{source.name}: {path} cannot be read ({error.strerror}); nothing of it landed: mend it")
            continue
        # What the file held *last* counts: one that went back to earlier content has changed, and is read again.
        if _marked(mark).get("state") == f"{digest}-{source.fingerprint()}":
            line.files_unchanged += 1
        else:
            tasks.append(_Task(source, line, path, found.name(path), digest, mark))
    return tasks


def _land_file(home: Home, task: _Task, path: Path, known: datetime, problems: list[str]) -> None:
    source, line = task.source, task.line
    before = _marked(task.mark)
    same_content = str(before.get("state", "")).startswith(f"{task.digest}-")
    seen = datetime.fromisoformat(str(before.get("seen", before["landed_at"]))) if same_content else known
    memory = task.mark.with_suffix(".parquet")
    said = frozenset(pl.read_parquet(memory)["content_hash"]) if memory.exists() else None
    reading = Reading(home, source, line, Moment(known, seen, said), task.origin, problems)
    try:
        reading.land(FILE_READERS[source.reader](path, source, reading.tally))
    except SourceError as error:
        reading.rejects.append(Reject(str(error)))
    reading.close()
    line.files += 1
    mark = {
        "state": f"{task.digest}-{source.fingerprint()}",
        "file": task.origin,
        "source": source.name,
        "landed_at": known.isoformat(),
        "seen": seen.isoformat(),
        **asdict(line),
    }
    _note_landed(task.mark, mark, reading.said)


def _land_api(home: Home, task: _Task, known: datetime, problems: list[str], span: tuple[datetime, datetime]) -> None:
    reading = Reading(home, task.source, task.line, Moment(known, known), task.source.url, problems)
    try:
        with httpx.Client(timeout=30) as client:
            reading.land(API_READERS[task.source.reader](task.source, span, client))
    finally:
        reading.close()


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _marked(mark: Path) -> dict[str, object]:
    """What was noted when a file was last read; empty if it never was."""
    return dict(json.loads(mark.read_text(encoding="utf-8"))) if mark.exists() else {}


def _note_landed(mark: Path, content: dict[str, object], said: pl.Series) -> None:
    """Note that a file was read, and what it said; the mark is last, so a death in between repeats the reading."""
    hashes = pl.DataFrame({"content_hash": said.sort()}, schema={"content_hash": pl.String})
    write_atomically(mark.with_suffix(".parquet"), hashes.write_parquet)
    write_text(mark, json.dumps(content, indent=1))

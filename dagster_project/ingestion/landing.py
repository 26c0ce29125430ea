"""Landing: idempotent load of every configured source into the lake, with a report per source.

A file is read again only when its content or the way to read it has changed; a row lands again only when its content
has changed. So rerunning, or dying half-way and rerunning, changes nothing. Unreadable records go to quarantine with
reason, file, line and raw text. One failing source does not stop the others. The report names it, and a file that was
lost stays a problem in each later run until it is exported again or removed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from time import sleep

import httpx
import polars as pl

from dagster_project import lake
from dagster_project.errors import SourceError
from dagster_project.files import write_atomically, write_text
from dagster_project.home import Home
from dagster_project.ingestion.readers import API_READERS, FILE_READERS
from dagster_project.ingestion.reading import Reading, SourceLine
from dagster_project.ingestion.records import Record, Reject
from dagster_project.ingestion.source_freshness import note_freshness, remember_sources, silence
from dagster_project.ingestion.sources import SourceConfig
from dagster_project.ingestion.versions import Moment
from dagster_project.outgoing import clean, excerpt
from dagster_project.redaction import redact_values

Progress = Callable[[str], None]

_RETRY_SECONDS = (1.0, 3.0)
"""Pauses before an API is asked again."""

_APART = timedelta(milliseconds=1)
"""Between the readings of one run, so that of two files with the same row the later one is current."""


@dataclass
class LandingReport:
    """One line per source, each problem as a line for a person, and the sources that have fallen silent."""

    lines: list[SourceLine] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    @property
    def quarantined(self) -> int:
        """Records that went to quarantine in this run."""
        return sum(line.quarantined for line in self.lines)

    @property
    def unread(self) -> list[SourceLine]:
        """Sources of which nothing could be read."""
        return [line for line in self.lines if line.is_unread]


@dataclass
class _FileCounts:
    """Outcome of one source's files, whenever each was read last: they decide the source's state."""

    found: int = 0
    failed: int = 0
    without_rows: int = 0

    def add(self, mark: dict[str, object]) -> str:
        """Count a file by its mark; returns its problem."""
        problem = str(mark.get("problem", ""))
        self.found += 1
        self.failed += bool(problem)
        self.without_rows += mark.get("rows") == 0
        return problem


@dataclass(frozen=True)
class _Task:
    """One thing to read: a file that has something new, or an API (without ``path``)."""

    source: SourceConfig
    line: SourceLine
    counts: _FileCounts
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
    tasks = list(_tasks(home, sources, report))
    for number, task in enumerate(tasks, start=1):
        known = now - (len(tasks) - number) * _APART
        if task.path is None:
            _land_api(home, task, known, report.problems, span)
        else:
            _land_file(home, task, task.path, known, report.problems)
            progress(f"{task.source.name}: {task.origin}: {task.line.landed:,} rows so far")
    remember_sources(home, sources, now)
    _conclude(home, sources, tasks, report, now)
    total = sum(line.landed for line in report.lines)
    problems = len(report.problems) + len(report.silent)
    progress(f"landed {total:,} new rows, {report.quarantined:,} in quarantine, {problems} problems")
    return report


def survey(home: Home, sources: Sequence[SourceConfig], *, now: datetime) -> LandingReport:
    """Report on every source as ``land`` would, without reading a row or asking an API."""
    report = LandingReport()
    for task in (tasks := list(_tasks(home, sources, report))):
        if task.path is None:
            variable = task.source.token_env
            if variable and not os.environ.get(variable):
                problem = f"{task.source.name}: the environment variable {variable} is not set; export {variable}=…"
                task.line.fail("unreadable", problem)
                report.problems.append(problem)
        else:
            task.counts.add({})
    _conclude(home, sources, tasks, report, now)
    return report


def _tasks(home: Home, sources: Sequence[SourceConfig], report: LandingReport) -> Iterator[_Task]:
    """Begin the report on each source, and list what there is to read."""
    for source in sources:
        line = SourceLine(source.name, source.target, source.reader)
        report.lines.append(line)
        try:
            if source.path:
                yield from _new_files(home, source, line, report.problems)
            else:
                yield _Task(source, line, _FileCounts())
        except SourceError as error:
            line.fail("missing", str(error))
            report.problems.append(str(error))


def _new_files(home: Home, source: SourceConfig, line: SourceLine, problems: list[str]) -> Iterator[_Task]:
    """The source's files that are not just as they were when they were last read."""
    found, counts, tasks = source.find(), _FileCounts(), []
    problems += found.notes
    for path in found.files:
        place = hashlib.sha256(f"{source.name}\x1f{path}".encode()).hexdigest()[:24]
        mark = home.lake / "_landed" / f"{place}.json"
        try:
            digest = _digest(path)
        except OSError as error:
            problem = f"{source.name}: {path} cannot be read ({error.strerror}); nothing of it landed: mend it"
            problems.append(problem)
            line.fail("damaged", counts.add({"problem": problem, "rows": 0}))
            continue
        # What the file held *last* counts: one that went back to earlier content has changed, and is read again.
        if (before := _marked(mark)).get("state") == f"{digest}-{source.fingerprint()}":
            line.files_unchanged += 1
            if problem := counts.add(before):
                problems.append(f"{problem}; read before, and not exported again since")
                line.fail("damaged", problem)
        else:
            tasks.append(_Task(source, line, counts, path, found.name(path), digest, mark))
    _judge_files(line, counts, waiting=bool(tasks))
    yield from tasks


def _judge_files(line: SourceLine, counts: _FileCounts, *, waiting: bool = False) -> None:
    """Set the state that follows from a source's files, once none of them is waiting to be read."""
    if waiting or not counts.found:
        return
    if counts.failed and counts.without_rows == counts.found:
        line.fail("unreadable", "")
    elif not counts.failed and counts.without_rows == counts.found:
        line.fail("empty", f"{line.source}: its {counts.found} file(s) hold no row; look at the export")


def _conclude(
    home: Home, sources: Sequence[SourceConfig], tasks: Iterable[_Task], report: LandingReport, now: datetime
) -> None:
    """Settle each source's state and freshness, after everything was read."""
    for task in tasks:
        _judge_files(task.line, task.counts)
    note_freshness(home, sources, report.lines, now)
    for source, line in zip(sources, report.lines, strict=True):
        if line.state == "empty":
            report.problems.append(line.problem)
        if alarm := silence(line, source.allowed_silence):
            report.silent.append(alarm)


def _land_file(home: Home, task: _Task, path: Path, known: datetime, problems: list[str]) -> None:
    source, line, read_before = task.source, task.line, task.line.read
    before = _marked(task.mark)
    same_content = str(before.get("state", "")).startswith(f"{task.digest}-")
    seen = datetime.fromisoformat(str(before.get("seen", before["landed_at"]))) if same_content else known
    memory = task.mark.with_suffix(".parquet")
    said = frozenset(pl.read_parquet(memory)["content_hash"]) if memory.exists() else None
    reading = Reading(home, source, line, Moment(known, seen, said), task.origin, problems)
    problem = ""
    try:
        reading.land(FILE_READERS[source.reader](path, source, reading.tally))
    except SourceError as error:
        reading.rejects.append(Reject(str(error)))
        problem = clean(f"{source.name}: {task.origin}: {error}")
    reading.close()
    line.files += 1
    mark: dict[str, object] = {
        "state": f"{task.digest}-{source.fingerprint()}",
        "file": task.origin,
        "source": source.name,
        "landed_at": known.isoformat(),
        "seen": seen.isoformat(),
        "rows": line.read - read_before,
        "problem": problem,
    }
    if task.counts.add(mark):
        line.fail("damaged", problem)
    _note_landed(task.mark, mark, reading.said)


def _land_api(home: Home, task: _Task, known: datetime, problems: list[str], span: tuple[datetime, datetime]) -> None:
    """Land an API's answer; a request that brought nothing is retried."""
    reading = Reading(home, task.source, task.line, Moment(known, known), task.source.address, problems)
    try:
        with httpx.Client(timeout=30) as client:
            for pause in (*_RETRY_SECONDS, None):
                try:
                    reading.land(_answered(task.source, span, client))
                    break
                except SourceError:
                    if pause is None or task.line.read:
                        raise
                    sleep(pause)
    except SourceError as error:
        task.line.fail("unreadable", str(error))
        problems.append(str(error))
    finally:
        reading.close()


def _answered(source: SourceConfig, span: tuple[datetime, datetime], client: httpx.Client) -> Iterator[Record | Reject]:
    """The records of an API's answer; one that no reader foresaw, such as a login page, is a problem of this source.

    An API may repeat the token that it was asked with: the records are redacted before anything keeps them.
    """
    try:
        for item in API_READERS[source.reader](source, span, client):
            yield Record(redact_values(item.values), item.line) if isinstance(item, Record) else item
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        said = excerpt(error)
        raise SourceError(
            f"{source.name}: {source.address} did not answer as {source.reader} does ({said}); check `url`"
        ) from error


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _marked(mark: Path) -> dict[str, object]:
    """Note on the last reading of a file; empty if it was never read."""
    return dict(json.loads(mark.read_text(encoding="utf-8"))) if mark.exists() else {}


def _note_landed(mark: Path, content: dict[str, object], said: pl.Series) -> None:
    """Note that a file was read, with its content hashes; the mark is last, so a crash in between repeats it."""
    hashes = pl.DataFrame({"content_hash": said.sort()}, schema={"content_hash": pl.String})
    write_atomically(mark.with_suffix(".parquet"), hashes.write_parquet)
    write_text(mark, json.dumps(content, indent=1))

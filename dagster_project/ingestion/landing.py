"""Landing: idempotent load of every configured source into the lake, with a report per source.

A file is read again only when its content or the way to read it has changed; a row lands again only when its content
has changed. So rerunning, or dying half-way and rerunning, changes nothing; nor do two landings at once, which take
turns at each table. Unreadable records go to quarantine with reason, file, line and raw text. One failing source does
not stop the others. The report names it, and a file that was lost stays a problem in each later run until it is
exported again or removed. Rows that the lake lost are landed again from their sources (``recovery``).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from dagster_project import lake
from dagster_project.errors import SourceError
from dagster_project.files import read_state, write_json
from dagster_project.home import Home
from dagster_project.ingestion.api_client import ApiClient
from dagster_project.ingestion.file_access import open_regular
from dagster_project.ingestion.isolation import explain, is_lasting, one_line
from dagster_project.ingestion.limits import LimitError, Limits
from dagster_project.ingestion.marks import Mark, mark_path, marks_folder, read_mark, read_said, write_mark
from dagster_project.ingestion.readers import API_READERS, FILE_READERS
from dagster_project.ingestion.reading import Reading, SourceLine
from dagster_project.ingestion.records import Record, Reject
from dagster_project.ingestion.recovery import ask_again, conclude_recovery
from dagster_project.ingestion.source_freshness import note_freshness, remember_sources, silence
from dagster_project.ingestion.sources import SourceConfig, WrongEntry, fingerprint
from dagster_project.ingestion.versions import Moment
from dagster_project.redaction import redact_values

Progress = Callable[[str], None]

_PIECE = 1024 * 1024
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
    def failures(self) -> list[str]:
        """Problems of the sources of which something, or all, could not be read."""
        return [line.problem for line in self.lines if line.state in ("missing", "unreadable", "damaged")]

    def note_wrong(self, entries: Iterable[WrongEntry]) -> None:
        """Report entries of ``sources.yml`` that cannot be used, as sources of which nothing was read."""
        for entry in entries:
            line = SourceLine(entry.name, entry.table)
            line.fail("unreadable", entry.problem)
            self.lines.append(line)
            self.problems.append(line.problem)

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

    def add(self, problem: str = "", rows: int | None = None) -> str:
        """Count a file by its problem and its number of rows, if that is known; returns the problem."""
        self.found += 1
        self.failed += bool(problem)
        self.without_rows += rows == 0
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
    lake.refuse_borrowed(home)
    lost = ask_again(home, lake.ensure_tables(home))
    report = LandingReport()
    present = {source.name: fingerprint([source]) for source in sources}  # before the first byte is read
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
    write_json(_seen(home), {**seen_by_landing(home), **present})
    _conclude(home, sources, tasks, report, now)
    report.problems += conclude_recovery(home, lost, sources, report.lines)
    total = sum(line.landed for line in report.lines)
    problems = len(report.problems) + len(report.silent)
    progress(f"landed {total:,} new rows, {report.quarantined:,} in quarantine, {problems} problems")
    return report


def seen_by_landing(home: Home) -> dict[str, str]:
    """By source, the fingerprint of its files as of the last landing that went to its end."""
    return read_state(_seen(home), dict[str, str], "every source counts as new until the next landing") or {}


def _seen(home: Home) -> Path:
    return marks_folder(home) / "files.seen"


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
            task.counts.add()
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
            line.fail("missing", one_line(str(error)))
            report.problems.append(str(error))
        except Exception as error:
            line.fail("unreadable", f"{source.name}: {explain(error, source.reader)}")
            report.problems.append(line.problem)


def _new_files(home: Home, source: SourceConfig, line: SourceLine, problems: list[str]) -> Iterator[_Task]:
    """The source's files that are not just as they were when they were last read."""
    found, counts, tasks = source.find(), _FileCounts(), []
    problems += found.notes
    for path in found.files:
        mark = mark_path(home, source.name, path)
        try:
            digest = _digest(path, source.limits)
        except (OSError, SourceError) as error:
            problem = f"{source.name}: {error}"
            if isinstance(error, OSError):
                problem = f"{source.name}: {path} cannot be read ({error.strerror}); nothing of it landed: mend it"
            problems.append(problem)
            line.fail("damaged", counts.add(problem, 0))
            continue
        # What the file held *last* counts: one that went back to earlier content has changed, and is read again.
        before = read_mark(mark)
        if before and _is_read(before, digest, source):
            line.files_unchanged += 1
            if problem := counts.add(before.problem, before.rows):
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
    # Names of files, and what servers say, may hold line breaks and control codes.
    report.problems[:] = [one_line(problem) for problem in report.problems]


def _is_read(mark: Mark, digest: str, source: SourceConfig) -> bool:
    return mark.state == f"{digest}-{source.fingerprint()}" and not mark.again


def _land_file(home: Home, task: _Task, path: Path, known: datetime, problems: list[str]) -> None:
    """Land a file, unless a run that had the table before has landed it meanwhile; its faults are its problem alone."""
    line, read_before = task.line, task.line.read
    try:
        with lake.lock_table(home, task.source.target):
            before = read_mark(task.mark)
            if before and _is_read(before, task.digest, task.source):
                line.files_unchanged += 1
                task.counts.add(before.problem, before.rows)
                return
            line.files += 1
            problem = _read_file(home, task, path, before, known, problems)
    except Exception as error:
        problem = _problem(task, error)
        problems.append(problem)
    if task.counts.add(problem, line.read - read_before):
        line.fail("damaged", problem)


def _read_file(home: Home, task: _Task, path: Path, before: Mark | None, known: datetime, problems: list[str]) -> str:
    """Land a file's rows and mark it as read; returns the problem that ended the reading early, or nothing."""
    source, line, read_before = task.source, task.line, task.line.read
    same_content = before is not None and before.state.startswith(f"{task.digest}-")
    seen = min(before.first_seen, known) if before and same_content else known  # a later mark: a clock was ahead
    if before and before.again and same_content:
        known = min(before.landed_at, known)  # rows that the lake lost were known since then
    said = read_said(task.mark)
    hashes = None if said is None else frozenset(said["content_hash"])
    reading = Reading(home, source, line, Moment(known, seen, hashes), task.origin, problems)
    if before and before.again:
        reading.known_before = said
    failure = _land_rows(reading, path)
    problem = _problem(task, failure) if failure else ""
    if failure and reading.rejected > 1:  # else the line about the rejects says it
        problems.append(problem)
    if failure is None or is_lasting(failure):
        state = f"{task.digest}-{source.fingerprint()}"
        mark = Mark(state, task.origin, source.name, known, seen, line.read - read_before, problem)
        write_mark(task.mark, mark, reading.said_since(said))
    return problem


def _land_rows(reading: Reading, path: Path) -> Exception | None:
    """Land what can be read; returns what ended the reading early."""
    failure, reader = None, reading.source.reader
    try:
        reading.land(FILE_READERS[reader](path, reading.source, reading.tally))
    except Exception as error:
        failure = error
        reading.reject([Reject(explain(error, reader))])
    reading.close()
    return failure


def _problem(task: _Task, error: Exception) -> str:
    said = explain(error, task.source.reader).removeprefix(f"{task.origin.rpartition('/')[2]} ")
    return f"{task.source.name}: {task.origin}: {said}"


def _land_api(home: Home, task: _Task, known: datetime, problems: list[str], span: tuple[datetime, datetime]) -> None:
    """Land an API's answers; whatever that raises is a problem of this source alone."""
    source = task.source
    reading = Reading(home, source, task.line, Moment(known, known), source.address, problems)
    try:
        try:
            with ApiClient(source) as client:
                reading.land(_redacted(API_READERS[source.reader](source, span, client)))
        finally:
            reading.close()
    except Exception as error:
        said = explain(error, source.reader)
        problem = said if said.startswith(f"{source.name}: ") else f"{source.name}: {reading.origin}: {said}"
        task.line.fail("unreadable", problem)
        problems.append(problem)


def _redacted(records: Iterator[Record | Reject]) -> Iterator[Record | Reject]:
    """The records without our secrets: an API may repeat the token that it was asked with."""
    for item in records:
        yield Record(redact_values(item.values), item.line) if isinstance(item, Record) else item


def _digest(path: Path, limits: Limits) -> str:
    """Content hash of a regular file.

    Raises:
        OSError: it cannot be read, or is none.
        SourceError: it is larger than allowed.
    """
    digest = hashlib.sha256()
    with open_regular(path) as content:
        size = os.fstat(content.fileno()).st_size
        while size <= limits.file_bytes and (piece := content.read(_PIECE)):
            digest.update(piece)
            size = max(size, content.tell())
    if size > limits.file_bytes:
        raise LimitError(f"{path.name} is too large ({size:,} bytes)", "file_bytes", limits.value("file_bytes"))
    return digest.hexdigest()

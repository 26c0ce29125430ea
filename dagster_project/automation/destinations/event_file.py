"""Event file: CloudEvents in JSON, one a line, for other programs on this machine.

The file is append-only. A line is complete and durable once it ends: it is appended under a lock that spans processes
and synced before the ledger records the delivery; the rest of a torn line is cut off before the next one. Delivery is
idempotent: an event whose id is in the file is not written again. A reader takes the complete lines and remembers its
offset.

To shorten the file, move it away between two pushes; the next event begins it anew.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from dagster_project.automation.destinations.event_sink import EventSink
from dagster_project.automation.destinations.settings import NAME, DestinationSettings
from dagster_project.automation.outcomes import DeliveryError, NotSent, Rejected
from dagster_project.home import Home


class EventFileSettings(DestinationSettings):
    """A ``kind: events`` entry of destinations.yml; ``file`` defaults to the home's ``outbound/events.jsonl``."""

    PLACE: ClassVar[tuple[str, ...]] = ("file",)

    kind: Literal["events"]
    name: str = Field("events", pattern=NAME)
    file: Path | None = None

    def build(self, home: Home) -> EventFile:
        """The destination."""
        return EventFile(home.root / (self.file or home.events).expanduser(), name=self.name)


class EventFile(EventSink):
    """A file of events as a ticket destination; it takes an event's id once."""

    settle_seconds = 0.0

    def __init__(self, path: Path, *, name: str = "events") -> None:
        self.name, self.place = name, path.absolute().as_uri()
        self._path = path

    def deliver(self, event: Mapping[str, Any]) -> None:
        """Append the event, unless its id is there."""
        start = b'{"id":' + json.dumps(event["id"]).encode()
        line = json.dumps({"id": event["id"], **event}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        with self._locked() as file:
            end = _mended(file)
            if not _has_line(file, start, end):
                self._append(file, line, end)

    def _append(self, file: FileIO, line: bytes, end: int) -> None:
        try:
            file.seek(end)
            while line:
                line = line[file.write(line) :]
            os.fsync(file.fileno())
            if not end:
                _sync_folder(self._path)
        except OSError as error:
            file.truncate(end)
            reason = f"cannot write to {self._path} ({error.strerror}); make room, or set file to another place"
            raise DeliveryError(NotSent(reason)) from None

    @contextmanager
    def _locked(self) -> Iterator[FileIO]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # The lock is a file of its own, because the other one may be moved away by somebody at any moment.
            lock = self._path.with_name(f".{self._path.name}.lock").open("a")
        except OSError as error:
            raise self._refused(error) from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go when the process ends, however it ends
            try:
                file = FileIO(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666), "r+")
            except OSError as error:
                raise self._refused(error) from None
            with file:
                yield file

    def _refused(self, error: OSError) -> DeliveryError:
        reason = f"cannot write to {self._path} ({error.strerror}); check file and its rights"
        return DeliveryError(Rejected(reason, whole_destination=True))


def _mended(file: FileIO) -> int:
    """Cut off a torn line, which was never confirmed; returns the offset of the next line."""
    size = os.fstat(file.fileno()).st_size
    if size:
        with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as content:
            whole = content.rfind(b"\n") + 1
        if whole < size:
            file.truncate(whole)
        return whole
    return 0


def _has_line(file: FileIO, start: bytes, size: int) -> bool:
    if not size:
        return False
    with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as content:
        return content[: len(start)] == start or content.find(b"\n" + start) >= 0


def _sync_folder(path: Path) -> None:
    """Make the file's name as durable as its content."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

"""The embedded tracker: a folder of Markdown files, for teams and demos without an account anywhere.

``FC-7.md`` is one ticket: YAML front matter (status, priority, owner, times), the brief, and an append-only History. A
person may change ``status`` and add keys in the front matter (``assignee``; ``by`` for their name), and write below the
brief; all of that is kept, and reported as a person's change. ``index.md`` lists the tickets. Files are replaced
atomically, under a lock that spans processes.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import yaml
from pydantic import Field, field_validator

from dagster_project import sanitize
from dagster_project.automation.destinations.local_changes import Noted, notice, read_notes, written_comment
from dagster_project.automation.destinations.resolutions import rejects, resolution_of
from dagster_project.automation.destinations.settings import NAME, DestinationSettings
from dagster_project.automation.outcomes import DeliveryError, Rejected
from dagster_project.automation.ticket import (
    ExternalTicket,
    Resolution,
    Ticket,
    TicketChange,
    carries,
    marker_line,
    markers_in,
)
from dagster_project.decisioning.published import present_of
from dagster_project.errors import yaml_problem
from dagster_project.files import write_text
from dagster_project.home import Home

CLOSED = frozenset({"resolved", "closed", "done", "duplicate", "rejected", "not a bug"})
"""Values of ``status`` that count as closed, as do the words of ``resolutions.py``; any other word is open."""

_OURS = frozenset("status created priority owner title issue labels updated".split())
_NUMBERED = re.compile(r"FC-(\d+)\.md")
_FILE = re.compile(r"---\n(?P<matter>.*?\n)---\n(?P<rest>.*)", re.DOTALL)
_HINT = "<!-- Kept up to date by feedback-control down to History. Change `status` above; write below. -->"
_HISTORY = "## History"


class LocalSettings(DestinationSettings):
    """A ``kind: local`` entry of destinations.yml; ``folder`` defaults to the home's ``tickets``."""

    PLACE: ClassVar[tuple[str, ...]] = ("folder",)

    kind: Literal["local"] = "local"
    name: str = Field("local", pattern=NAME)
    folder: Path | None = None

    @field_validator("fields")
    @classmethod
    def _not_ours(cls, value: dict[str, str]) -> dict[str, str]:
        if ours := sorted(_OURS & value.keys()):
            raise ValueError(f"{ours[0]} is kept by the tracker itself; choose another name")
        return value

    def build(self, home: Home) -> LocalTracker:
        """The destination; in a rehearsal its clock is the rehearsal's present."""
        folder = home.root / (self.folder or home.tickets).expanduser()
        clock = partial(_present, home) if home.is_rehearsal else None
        return LocalTracker(folder, name=self.name, clock=clock)


@dataclass(frozen=True)
class LocalTicket:
    """One ticket of the folder, as listed."""

    external_id: str
    status: str
    priority: str
    owner: str
    title: str
    created: str
    updated: str
    path: Path

    @property
    def closed(self) -> bool:
        """True if its status counts as closed."""
        return _is_closed(self.status)


def _present(home: Home) -> datetime:
    return present_of(home, datetime.now(UTC))


def list_tickets(folder: Path) -> list[LocalTicket]:
    """The tickets of a folder: open ones first, most urgent first. A file that cannot be read is listed as such."""
    found = [_listed(path) for path in _ticket_files(folder)]
    return sorted(found, key=lambda ticket: (ticket.closed, ticket.priority, _number(ticket.path)))


class LocalTracker:
    """A folder of Markdown tickets as a destination; what it writes can be read back at once."""

    settle_seconds = 0.0

    def __init__(self, folder: Path, *, name: str = "local", clock: Callable[[], datetime] | None = None) -> None:
        self.name = name
        self._folder = folder
        self._clock = clock or (lambda: datetime.now(UTC))

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Write the ticket under the next number."""
        with self._locked() as sequence:
            number = max([int(sequence.read_text() or 0), *map(_number, _ticket_files(self._folder))]) + 1
            sequence.write_text(str(number))  # so that the number of a deleted ticket is not given to another
            path = self._folder / f"FC-{number}.md"
            matter = {"status": "open", "created": self._stamp()} | self._matter(ticket)
            self._write(path, matter, ticket, f"{_HISTORY}\n\n- {self._stamp()}: opened as {ticket.priority}.\n")
        return _external(path)

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Replace the brief and our part of the front matter; the note goes into the History."""
        return self._set(external_id, ticket)

    def resolve(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """The same, and set the status to resolved unless a person has closed it their own way."""
        return self._set(external_id, ticket)

    def read(self, external_id: str) -> ExternalTicket | None:
        """The ticket by its id; None if its file is gone."""
        path = self._folder / f"{external_id}.md"
        return _external(path) if path.exists() else None

    def find_by_marker(self, marker: str, since: datetime | None = None) -> list[ExternalTicket]:
        """Every ticket with the marker, oldest first; all files are read, so ``since`` saves nothing."""
        return [_external(path) for path in _ticket_files(self._folder) if carries(_text(path), marker)]

    def missing(self, markers: Mapping[str, str]) -> list[str]:
        """The ids whose file was deleted, cannot be read, or no longer carries the ticket's marker."""
        return [one for one, marker in markers.items() if not _holds(self._folder / f"{one}.md", marker)]

    def changes_since(self, since: datetime) -> Iterable[TicketChange]:
        """People's changes to front matter and text, noticed since then."""
        if not self._folder.exists():
            return []
        with self._locked():
            markers = {path.stem: self._notice(path) for path in _ticket_files(self._folder)}
            noted = [one for one in read_notes(self._folder) if datetime.fromisoformat(one.noticed) >= since]
        return [_change(one, marker) for one in noted if (marker := markers.get(one.ticket))]

    def _notice(self, path: Path) -> str | None:
        """Note what a person changed in a file; whose ticket it is, if it is anybody's."""
        text = _text(path)
        marker = next(iter(markers_in(text)), None)
        if marker is None:
            return None
        try:
            matter, _ = _parsed(path, text)
        except DeliveryError:
            return marker  # the next push says what is wrong with it
        notice(path, text, matter, text.partition(marker_line(marker))[2], self._clock())
        return marker

    def _set(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        path = self._folder / f"{external_id}.md"
        with self._locked():
            if not path.exists():
                raise _rejected(path, "the file is gone; restore it to have the ticket kept up to date")
            text = _text(path)
            if not carries(text, ticket.marker):
                raise _rejected(path, f"it does not carry {marker_line(ticket.marker)}; put that line back")
            matter, _ = _parsed(path, text)
            self._notice(path)  # before it is written over
            closed = _is_closed(str(matter.get("status", "open")))
            if ticket.closes and not closed:
                matter["status"] = "resolved"
            if ticket.reopens and matter.get("status") == "resolved":
                matter["status"] = "open"
            below = text.partition(marker_line(ticket.marker))[2].lstrip("\n")
            self._write(path, matter | self._matter(ticket), ticket, self._with_note(below, ticket.note), text)
        return _external(path)

    def _with_note(self, below: str, note: str) -> str:
        if not note:
            return below
        lines = below.splitlines()
        if _HISTORY not in lines:
            lines += ["", _HISTORY, ""]
        end = start = lines.index(_HISTORY) + 1
        for index in range(start, len(lines)):
            if lines[index].startswith("#"):
                break
            if lines[index].startswith("- "):
                end = index + 1
        blank = [""] if end == start else []
        return "\n".join([*lines[:end], *blank, f"- {self._stamp()}: {note}", *lines[end:]]) + "\n"

    def _matter(self, ticket: Ticket) -> dict[str, Any]:
        return {
            "priority": ticket.priority,
            "owner": ticket.owner,
            "title": ticket.title,
            "issue": ticket.issue_id,
            "labels": list(ticket.labels),
            "updated": self._stamp(),
            **dict(ticket.fields),
        }

    def _write(self, path: Path, matter: dict[str, Any], ticket: Ticket, below: str, before: str = "") -> None:
        front = yaml.safe_dump(matter, sort_keys=False, allow_unicode=True, width=200)
        hint = f"{_HINT}\n{written_comment(before, matter)}"
        write_text(
            path, f"---\n{front}---\n\n{hint}\n\n{_heading(ticket.title)}\n\n{ticket.body}\n\n{below.rstrip()}\n"
        )
        write_text(self._folder / "index.md", _index(self._folder))

    def _stamp(self) -> str:
        return f"{self._clock():%Y-%m-%d %H:%M} UTC"

    @contextmanager
    def _locked(self) -> Iterator[Path]:
        sequence = self._folder / ".sequence"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle = sequence.open("a")
        except OSError as error:
            reason = f"cannot write to {self._folder} ({error.strerror}); check folder and its rights"
            raise DeliveryError(Rejected(reason, whole_destination=True)) from None
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)  # let go when the process ends, however it ends
            yield sequence


def _index(folder: Path) -> str:
    tickets = list_tickets(folder)
    still_open = sum(not ticket.closed for ticket in tickets)
    lines = [f"# Tickets\n\n{still_open} open, {len(tickets) - still_open} closed.\n"]
    lines += ["| Ticket | Priority | Status | Owner | Title | Updated |", "| --- | --- | --- | --- | --- | --- |"]
    for ticket in tickets:
        words = (ticket.priority, ticket.status, ticket.owner, ticket.title, ticket.updated)
        lines.append(
            " | ".join([f"| [{ticket.external_id}]({ticket.path.name})", *map(sanitize.markdown, words)]) + " |"
        )
    return "\n".join(lines) + "\n"


def _heading(title: str) -> str:
    # The priority in brackets is ours, and better to read without the backslashes that keep the rest inert.
    return "# " + re.sub(r"^\\\[(P\d)\\\]", r"[\1]", sanitize.markdown(title))


def _listed(path: Path) -> LocalTicket:
    try:
        matter, _ = _parsed(path, _text(path))
    except DeliveryError as error:
        return LocalTicket(path.stem, "unreadable", "", "", str(error), "", "", path)

    def word(name: str) -> str:
        return str(matter.get(name, ""))

    times = word("created"), word("updated")
    return LocalTicket(path.stem, word("status"), word("priority"), word("owner"), word("title"), *times, path)


def _external(path: Path) -> ExternalTicket:
    url = path.absolute().as_uri()
    try:
        matter, rest = _parsed(path, _text(path))
    except DeliveryError:
        return ExternalTicket(path.stem, url, "", "")  # it is there, whatever it says now
    _, _, after_title = rest.partition(f"{_heading(str(matter.get('title', '')))}\n")
    lines = after_title.splitlines()
    end = next((i for i, line in enumerate(lines) if line.startswith("<!-- feedback-control:")), len(lines))
    closed = _is_closed(str(matter.get("status", "open")))
    return ExternalTicket(path.stem, url, str(matter.get("title", "")), "\n".join(lines[: end + 1]).strip(), closed)


def _holds(path: Path, marker: str) -> bool:
    try:
        return carries(_text(path), marker)
    except OSError:
        return False


def _is_closed(status: str) -> bool:
    return status.lower() in CLOSED or rejects(status)


def _change(noted: Noted, marker: str) -> TicketChange:
    resolution: Resolution | None = None
    if noted.kind == "status":
        resolution = resolution_of(noted.value) if _is_closed(noted.value) else "open"
    return TicketChange(
        marker=marker,
        external_id=noted.ticket,
        kind=noted.kind,
        value=noted.value,
        occurred_at=datetime.fromisoformat(noted.at),
        actor=noted.by,
        previous=noted.previous or None,
        resolution=resolution,
        change_id=noted.change_id,
    )


def _parsed(path: Path, text: str) -> tuple[dict[str, Any], str]:
    parts = _FILE.fullmatch(text)
    try:
        matter = yaml.safe_load(parts["matter"]) if parts else None
    except yaml.YAMLError as error:
        raise _rejected(path, f"the front matter is not YAML ({yaml_problem(error)}); mend it") from None
    if not parts or not isinstance(matter, dict):
        raise _rejected(path, "there is no front matter between two lines of ---; put it back")
    return matter, parts["rest"]


def _rejected(path: Path, reason: str) -> DeliveryError:
    return DeliveryError(Rejected(f"{path}: {reason}"))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")


def _ticket_files(folder: Path) -> list[Path]:
    return sorted((path for path in folder.glob("FC-*.md") if _NUMBERED.fullmatch(path.name)), key=_number)


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("FC-"))

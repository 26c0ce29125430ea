"""Changes that people made to the embedded tracker's files, recorded before a file is written over.

A file has no history, so each carries in a comment the content that the tracker wrote last: a difference from it is a
person's change. Each difference is appended once to ``.changes.jsonl`` beside the tickets, whenever the tracker is
about to write a file and whenever it is read. Both happen under the tracker's lock. A torn line is skipped, and the
difference is found again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from dagster_project.automation.ticket import ChangeKind

NOTED = ".changes.jsonl"
_WRITTEN = re.compile(r"^<!-- written: #(\d+) status=(\S*) priority=(\S*) -->$", re.MULTILINE)
_OUR_LINE = re.compile(r"## History|- \d{4}-\d\d-\d\d \d\d:\d\d UTC: .*")
_OURS = ("open", "resolved")
_LOOKED_AT: tuple[ChangeKind, ...] = ("status", "assignee", "priority")


@dataclass(frozen=True)
class Noted:
    """One difference: the new and the old value, when the file was written, and when it was noticed."""

    ticket: str
    written: int
    kind: ChangeKind
    value: str
    previous: str
    by: str
    at: str
    noticed: str

    @property
    def change_id(self) -> str:
        """The same for the same difference, whenever it is noticed."""
        key = [self.ticket, self.written, self.kind, self.value, self.previous, self.at]
        return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:24]


def written_comment(text: str, matter: dict[str, Any]) -> str:
    """The comment for a file that is about to be written in place of this text (empty: there is none yet)."""
    number, _ = _last_written(text, matter)
    status, priority = (quote(_word(matter, name), safe="") for name in ("status", "priority"))
    return f"<!-- written: #{number + 1} status={status} priority={priority} -->"


def notice(path: Path, text: str, matter: dict[str, Any], below: str, now: datetime) -> None:
    """Note what a person changed in a file, unless it is noted already."""
    known = [one for one in read_notes(path.parent) if one.ticket == path.stem]
    number, ours = _last_written(text, matter)
    since = {one.kind: one.value for one in known if one.written == number}
    at = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
    place = (path.stem, number)
    by = _word(matter, "by")
    new = []
    for kind in _LOOKED_AT:
        value = _word(matter, kind)
        # An assignee is never ours: compare with the last one noted, as the file may have been written since.
        last = [one.value for one in known if one.kind == kind]
        before = since.get(kind, (last or [""])[-1] if kind == "assignee" else ours[kind])
        if value != before:
            new.append(Noted(*place, kind, value, before, by, at, now.isoformat()))
    said = {line for one in known if one.kind == "comment" for line in one.value.splitlines()}
    lines = [line for line in below.splitlines() if not _OUR_LINE.fullmatch(line) and line.strip() and line not in said]
    if lines:
        new.append(Noted(*place, "comment", "\n".join(lines), "", by, at, now.isoformat()))
    _append(path.parent / NOTED, new)


def read_notes(folder: Path) -> Iterator[Noted]:
    """All that was noted, oldest first."""
    path = folder / NOTED
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            yield Noted(**json.loads(line))
        except (ValueError, TypeError):
            continue  # torn off by a crash


def _last_written(text: str, matter: dict[str, Any]) -> tuple[int, dict[str, str]]:
    if found := _WRITTEN.search(text):
        return int(found[1]), {"status": unquote(found[2]), "priority": unquote(found[3])}
    status = _word(matter, "status")  # from before the comment was written: it never wrote any other status
    return 0, {"status": status if status in _OURS else "open", "priority": _word(matter, "priority")}


def _word(matter: dict[str, Any], name: str) -> str:
    value = matter.get(name)
    return "" if value is None else str(value).strip()


def _append(path: Path, new: list[Noted]) -> None:
    if not new:
        return
    with path.open("a+b") as file:
        file.seek(0, os.SEEK_END)
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write("".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in new).encode())
        file.flush()
        os.fsync(file.fileno())

"""File discovery: expand a source's ``path`` to a file, the files of a folder, or the matches of a pattern.

Only regular files inside the folder are read. A folder, FIFO, socket or device where a file is expected, and a link
that leads out of the folder, are reported; the files beside them are still read.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path

from dagster_project.errors import SourceError
from dagster_project.ingestion.limits import LimitError, Limits

_SIGNS = "*?["
"""Wildcards: a path with one of these is a pattern."""

_KINDS = (
    (stat.S_ISREG, "file"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_READ = ("file", "unknown")
"""Kinds that are read; reading an unknown one reports why it cannot be looked at."""


@dataclass(frozen=True)
class Found:
    """Files in natural order of their names (numbers by value), and one note per entry left unread.

    ``root`` is the common folder of all files.
    """

    files: list[Path]
    notes: list[str]
    root: Path

    def name(self, file: Path) -> str:
        """Name of a file in reports: its path below ``root``, which is unique."""
        return os.fsencode(file.relative_to(self.root).as_posix()).decode("utf-8", "backslashreplace")


def discover(name: str, path: str, base: Path, limits: Limits) -> Found:
    """Expand ``path``, relative to ``base``.

    Raises:
        SourceError: there is no file to read; the message says what to correct.
    """
    try:
        return _expanded(name, path, base, limits)
    except (OSError, ValueError, RuntimeError) as error:  # no permission, a loop of links, a NUL or too long a name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SourceError(
            f"{name}: `path` {path[:200]!r} cannot be listed ({reason}); correct it or its rights"
        ) from None


def _expanded(name: str, path: str, base: Path, limits: Limits) -> Found:
    pattern = Path(path).expanduser()
    location = pattern if pattern.is_absolute() else base / pattern
    if location.is_dir():
        entries = _listed(name, (one for one in location.iterdir() if not one.name.startswith(".")), limits)
        found = _sorted_out(name, entries, location, limits)
        if not found.files and not found.notes:
            raise SourceError(f"{name}: the folder {location} holds no file; nothing to read yet")
    elif any(sign in path for sign in _SIGNS):
        root = Path(location.anchor)
        fixed = fixed_part(location)
        if fixed.is_dir() and not os.access(fixed, os.R_OK | os.X_OK):  # a pattern would silently match nothing
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        entries = _listed(name, root.glob(str(location.relative_to(root))), limits)
        found = _sorted_out(name, entries, fixed, limits)
        if not entries:
            raise SourceError(f"{name}: no file matches {location}")
    elif not os.path.lexists(location):
        raise SourceError(f"{name}: {location} does not exist; correct `path` or put the export there")
    elif (kind := _kind(location)) not in _READ:
        raise SourceError(f"{name}: {location} is {kind} and no file; it was not read: correct `path`")
    else:
        return Found([location], [], location.parent)
    if not found.files and found.notes:
        more = f" (and {len(found.notes) - 1} more)" if len(found.notes) > 1 else ""
        raise SourceError(found.notes[0] + more)
    return found


def fixed_part(location: Path) -> Path:
    """The folder that a pattern begins in: the part of the path before the first wildcard; a plain path as it is."""
    return Path(*takewhile(lambda part: not any(sign in part for sign in _SIGNS), location.parts))


def _listed(name: str, entries: Iterator[Path], limits: Limits) -> list[Path]:
    found = list(islice(entries, limits.files + 1))
    if len(found) > limits.files:
        raise LimitError(f"{name}: `path` names too many files", "files", limits.value("files"))
    return found


def _sorted_out(name: str, entries: list[Path], root: Path, limits: Limits) -> Found:
    """Regular files inside the folder, and a note on whatever else was found there."""
    kinds = {entry: _kind(entry) for entry in sorted(entries, key=_by_name)}
    files = [entry for entry, kind in kinds.items() if kind in _READ]
    # A pattern such as exports/**/* also matches folders that it enters; those are not reported.
    entered = {parent for file in files for parent in file.parents}
    notes = [
        f"{name}: {entry} is {kind} where a file is expected; it was not read: narrow `path`, or add a source for it"
        for entry, kind in kinds.items()
        if kind not in _READ and entry not in entered
    ]
    outside = set() if limits.follow_links else _outside(files, root)
    notes += [
        f"{name}: {file} is a link that leads out of {root}; it was not read: copy the file, or set"
        " `limits.follow_links: true` if the link is right"
        for file in files
        if file in outside
    ]
    return Found([file for file in files if file not in outside], notes, root)


def _outside(files: list[Path], folder: Path) -> set[Path]:
    """Files that are not below the folder once links are followed; ``realpath`` takes loops of links as they are."""
    real = os.path.realpath(folder)
    return {file for file in files if not Path(os.path.realpath(file)).is_relative_to(real)}


def _kind(path: Path) -> str:
    """Kind of a directory entry in words; ``unknown`` if it cannot be looked at."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return "unknown"
    return next((words for is_kind, words in _KINDS if is_kind(mode)), "unknown")


def _by_name(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Natural sort key: reviews_9.csv before reviews_10.csv."""
    parts = re.findall(r"[0-9]+|[^0-9]+", str(path))
    # Digits are compared by their count first, as int() of a name made of digits takes quadratic time.
    return [
        (len(part.lstrip("0")), part.lstrip("0")) if part.isascii() and part.isdigit() else (-1, part) for part in parts
    ], str(path)

"""File discovery: expand a source's ``path`` to a file, the files of a folder, or the matches of a pattern.

A folder where a file is expected is reported; the files beside it are still read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from dagster_project.errors import SourceError

_SIGNS = "*?["
"""Wildcards: a path with one of these is a pattern."""


@dataclass(frozen=True)
class Found:
    """Files in natural order of their names (numbers by value), and one note per folder left unread.

    ``root`` is the common folder of all files.
    """

    files: list[Path]
    notes: list[str]
    root: Path

    def name(self, file: Path) -> str:
        """Name of a file in reports: its path below ``root``, which is unique."""
        return file.relative_to(self.root).as_posix()


def discover(name: str, path: str, base: Path) -> Found:
    """Expand ``path``, relative to ``base``.

    Raises:
        SourceError: there is no file to read; the message says what to correct.
    """
    pattern = Path(path).expanduser()
    location = pattern if pattern.is_absolute() else base / pattern
    if location.is_dir():
        entries = [entry for entry in location.iterdir() if not entry.name.startswith(".")]
        found = _sorted_out(name, entries, location)
        if not found.files and not found.notes:
            raise SourceError(f"{name}: the folder {location} holds no file; nothing to read yet")
    elif any(sign in path for sign in _SIGNS):
        root = Path(location.anchor)
        entries = list(root.glob(str(location.relative_to(root))))
        fixed = list(takewhile(lambda part: not any(sign in part for sign in _SIGNS), location.parts[:-1]))
        found = _sorted_out(name, entries, Path(*fixed))
        if not entries:
            raise SourceError(f"{name}: no file matches {location}")
    elif not location.exists():
        raise SourceError(f"{name}: {location} does not exist; correct `path` or put the export there")
    else:
        return Found([location], [], location.parent)
    if not found.files and found.notes:
        more = f" (and {len(found.notes) - 1} more)" if len(found.notes) > 1 else ""
        raise SourceError(found.notes[0] + more)
    return found


def _sorted_out(name: str, entries: list[Path], root: Path) -> Found:
    folders = {entry for entry in entries if entry.is_dir()}
    files = sorted((entry for entry in entries if entry not in folders), key=_by_name)
    # A pattern such as exports/**/* also matches folders that it enters; those are not reported.
    entered = {parent for file in files for parent in file.parents}
    notes = [
        f"{name}: {folder} is a folder where a file is expected; it was not read: narrow `path`, or add a source for it"
        for folder in sorted(folders - entered, key=_by_name)
    ]
    return Found(files, notes, root)


def _by_name(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Natural sort key: reviews_9.csv before reviews_10.csv."""
    parts = re.findall(r"[0-9]+|[^0-9]+", str(path))
    return [(int(part), "") if part.isascii() and part.isdigit() else (-1, part) for part in parts], str(path)

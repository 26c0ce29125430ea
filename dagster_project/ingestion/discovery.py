"""Which files a source's ``path`` names now: a file, a folder's files, or whatever a pattern matches.

A folder where a file is expected costs one note and no file: those beside it are still read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from dagster_project.errors import SourceError

_SIGNS = "*?["
"""What makes a path a pattern."""


@dataclass(frozen=True)
class Found:
    """Files to read, in the order of their names with numbers by value, and one line per folder left unread.

    ``root`` is the folder that all are in or below.
    """

    files: list[Path]
    notes: list[str]
    root: Path

    def name(self, file: Path) -> str:
        """What to call a file: its path below ``root``, so that two of one name are told apart."""
        return file.relative_to(self.root).as_posix()


def find(name: str, path: str, base: Path) -> Found:
    """The files that ``path`` names, relative to ``base``.

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
    # A pattern such as exports/**/* matches the folders on its way: what it reads into is not left out.
    entered = {parent for file in files for parent in file.parents}
    notes = [
        f"{name}: {folder} is a folder where a file is expected; it was not read: narrow `path`, or add a source for it"
        for folder in sorted(folders - entered, key=_by_name)
    ]
    return Found(files, notes, root)


def _by_name(path: Path) -> tuple[list[tuple[int, str]], str]:
    """reviews_9.csv before reviews_10.csv."""
    parts = re.findall(r"[0-9]+|[^0-9]+", str(path))
    return [(int(part), "") if part.isascii() and part.isdigit() else (-1, part) for part in parts], str(path)

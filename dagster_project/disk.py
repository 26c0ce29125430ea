"""Errors of the file system in one line: a full disk, a quota, a file that may not be written, each with its remedy.

Libraries pass a full disk on in their own types (DuckDB, polars, SQLite, dbt's results as text), so the whole chain of
an exception is searched. Nothing has to be undone: files are written beside their place and renamed when complete.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from dagster_project.errors import FeedbackControlError
from dagster_project.home import Home

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SAID = re.compile(
    "no space left on device|disk quota exceeded|database or disk is full|file too large|not enough space"
    r"|disk i/o error|os error (28|122|27)\b",
    re.IGNORECASE,
)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


class DiskError(FeedbackControlError):
    """The file system refused a write: it is full, a limit is reached, or it may not be written."""


def disk_error(error: BaseException, home: Home) -> DiskError | None:
    """The error to show instead of one that a full or read-only disk has caused; None for any other."""
    for one in _chain(error):
        number = one.errno if isinstance(one, OSError) else None
        if number in _FULL or _SAID.search(str(one)):
            return DiskError(_full(_folder(one, home)))
        if number in _REFUSED and isinstance(one, OSError) and one.filename:
            return DiskError(f"{one.filename}: {one.strerror}; give this user the right to read and write it")
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _folder(error: BaseException, home: Home) -> Path:
    """The folder that the error names, else the home; the nearest one that exists."""
    name = error.filename if isinstance(error, OSError) else None
    place = Path(os.fsdecode(name)).absolute() if isinstance(name, str | bytes) else home.root
    return next((one for one in (place, *place.parents) if one.is_dir()), Path("/"))


def _full(folder: Path) -> str:
    room = os.statvfs(folder)
    free = f"{room.f_bavail * room.f_frsize / 1e6:,.0f} MB"
    files = "" if room.f_favail or not room.f_files else " and no more files (inodes)"
    return (
        f"the disk of {folder} is full, or a quota or a limit of file sizes is reached ({free} free there{files});"
        " make room (HOME/broken and HOME/logs may be deleted) and run the command again: what was done stays done,"
        " and nothing is half written"
    )

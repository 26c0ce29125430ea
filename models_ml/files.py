"""Atomic writes and file locks: the one implementation for the models and for the code location.

A file or a folder is written under a temporary name beside its place, synced, then renamed, so a reader finds the
version before or the version after, never a part of one, also after a power cut. Temporary names are unique: two
writers of one file do not meet, and the last one wins. Modes follow the umask, whatever library wrote the content.
"""

from __future__ import annotations

import fcntl
import glob
import hashlib
import json
import os
import secrets
import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from models_ml.repairs import tell_repair

_ABANDONED = timedelta(days=1)
"""Age at which a temporary file or folder belongs to nobody: its writer was killed."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Create or replace a file; missing folders are made.

    Args:
        path: the file.
        write: writes the whole content to the path that it is given, which does not exist yet. If it raises, nothing
            is left of it, and the file stays as it was. A folder in the file's place is set aside.
    """
    _make_folder(path.parent)
    temporary = _beside(path)
    try:
        write(temporary)
        temporary.chmod(0o666 & ~_umask())
        _sync(temporary)
        if path.is_dir() and not path.is_symlink():
            tell_repair(f"{path} was a folder: it is now {set_aside(path, path.parent)}")
        temporary.replace(path)
    except BaseException:
        # A database may have left a log beside its file.
        for left in path.parent.glob(f"{glob.escape(temporary.name)}*"):
            left.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Create or replace a file of text, atomically: UTF-8, line ends as they are in the text."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline=""))


def write_json(path: Path, content: Any) -> None:
    """Create or replace a JSON file, atomically; equal content gives equal bytes."""
    write_text(path, json.dumps(content, indent=1, sort_keys=True))


@contextmanager
def write_folder(path: Path) -> Iterator[Path]:
    """A temporary folder to fill, which replaces ``path`` at the end; nothing is left of it if the body raises."""
    _make_folder(path.parent)
    temporary = _beside(path)
    temporary.mkdir()
    try:
        yield temporary
        _finish(temporary)
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)  # it was no folder
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _sync(path.parent)


def _finish(folder: Path) -> None:
    """Give everything in a folder the modes of new files, and flush it to the disk."""
    for parent, _, files in os.walk(folder, topdown=False):
        for name in files:
            Path(parent, name).chmod(0o666 & ~_umask())
            _sync(Path(parent, name))
        Path(parent).chmod(0o777 & ~_umask())
        _sync(Path(parent))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, read in pieces."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def create_text(path: Path, text: str) -> None:
    """Create a file of text, atomically; one that is there stays, so of two writers at once the first wins."""
    _make_folder(path.parent)
    temporary = _beside(path)
    try:
        temporary.write_text(text, encoding="utf-8", newline="")
        _sync(temporary)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
        except OSError:  # a file system without hard links
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent)


def relocate(path: Path, place: Path) -> None:
    """Move a file or a folder to another place of the same file system, for good once this returns."""
    _make_folder(place.parent)
    path.rename(place)
    _sync(place.parent)
    _sync(path.parent)


def set_aside(path: Path, folder: Path) -> Path:
    """Move a broken file or folder into ``folder`` under a name that is free there; returns its new place."""
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    place = folder / f"{path.name}.broken-{stamp}"
    relocate(path, place)
    return place


def ensure_folder(path: Path) -> None:
    """Make a folder; a file in its place is set aside."""
    if path.exists() and not path.is_dir():
        tell_repair(f"{path} was a file: it is now {set_aside(path, path.parent)}")
    _make_folder(path)


def remove_abandoned(folder: Path) -> None:
    """Remove what writers that were killed left in a folder more than a day ago."""
    with suppress(OSError):
        for left in folder.glob(".*.tmp*"):
            if datetime.now(UTC) - datetime.fromtimestamp(left.stat().st_mtime, UTC) > _ABANDONED:
                shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


class _Lock:
    """One lock file in this process: threads queue at ``guard``; the outermost entry of a thread takes the file."""

    def __init__(self) -> None:
        self.guard = threading.RLock()
        self.depth = 0


_LOCKS: defaultdict[Path, _Lock] = defaultdict(_Lock)


@contextmanager
def locked(path: Path, waiting: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold an exclusive lock between processes and threads; a thread that holds it may take it again.

    The operating system releases it when the holder ends, however it ends, so a lock is never left behind. There is no
    time limit: whoever waits is told once for which process, and can be interrupted.

    Args:
        path: the lock file; it is made if missing, holds the process id of the last holder, and stays.
        waiting: told which process has the lock, if it is not free.
    """
    own = _LOCKS[path.absolute()]
    with own.guard:
        own.depth += 1
        try:
            if own.depth > 1:
                yield
            else:
                with _flock(path, waiting):
                    yield
        finally:
            own.depth -= 1


@contextmanager
def _flock(path: Path, waiting: Callable[[str], None]) -> Iterator[None]:
    _make_folder(path.parent)
    if path.is_dir():
        tell_repair(f"{path} was a folder: it is now {set_aside(path, path.parent)}")
    with path.open("a+", encoding="utf-8", errors="replace") as handle:  # closing it releases the lock
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            waiting(f"waiting for process {handle.read().strip() or '(unknown)'}, which holds {path}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def _umask() -> int:
    """The process's umask. Linux tells it; elsewhere it can only be read by setting it."""
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return int(next(line for line in lines if line.startswith("Umask:")).split()[1], 8)
    present = os.umask(0o077)
    os.umask(present)
    return present


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents, each name as durable as the files that it will hold."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        _sync(one.parent)


def _sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

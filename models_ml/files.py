"""Atomic writes and file locks: the one implementation for the models and for the code location.

A file or a folder is written under a temporary name beside its place, synced, then renamed, so a reader finds the
version before or the version after, never a part of one, also after a power cut. Temporary names are unique: two
writers of one file do not meet, and the last one wins.
"""

from __future__ import annotations

import fcntl
import glob
import json
import os
import secrets
import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Create or replace a file; missing folders are made.

    Args:
        path: the file.
        write: writes the whole content to the path that it is given, which does not exist yet. If it raises, nothing
            is left of it, and the file stays as it was.
    """
    _make_folder(path.parent)
    temporary = _beside(path)
    try:
        write(temporary)
        _sync(temporary)
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
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _sync(path.parent)


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
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as handle:  # closing it releases the lock
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

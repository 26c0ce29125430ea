"""Integrity of a model's folder: content hashes of its files, written by training and compared before each use.

``files.json`` lists every file that predictions depend on with its SHA-256. Comparing takes about 0.1 s for 190 MB, and
is done once per process as long as sizes and times of writing stay. A model of an earlier version has no such list; it
gets one after its runtime has passed the parity check.
"""

from __future__ import annotations

from pathlib import Path

from models_ml.errors import ModelError
from models_ml.files import sha256_of, write_json
from models_ml.repairs import read_state

MANIFEST = "files.json"
_NOT_LISTED = frozenset({MANIFEST, "runtimes.json", "model_card.md"})
"""Files that predictions do not depend on: they are written anew where they are missing."""

_COMPARED: set[tuple[tuple[str, int, int], ...]] = set()
"""Folders that this process has compared, by the sizes and times of their files."""


class BrokenModelError(ModelError):
    """A model's folder is incomplete or damaged; ``reason`` says which file, and ``folder`` where."""

    def __init__(self, folder: Path, reason: str) -> None:
        self.folder, self.reason = folder, reason
        super().__init__(f"model {folder} is broken ({reason}); remove that folder, and the next run trains it anew")

    @classmethod
    def because_of(cls, folder: Path, error: Exception) -> BrokenModelError:
        """The error for whatever a library raised over a damaged file: each fails in its own way."""
        return cls(folder, " ".join(f"{type(error).__name__}: {error}".split())[:200])


def read_manifest(folder: Path) -> dict[str, str] | None:
    """SHA-256 of each file of a model; None if that is not on record."""
    return read_state(folder / MANIFEST, dict[str, str], "the model has to pass the parity check instead")


def write_manifest(folder: Path) -> None:
    """Record the content hashes of a model's files."""
    listed = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in _NOT_LISTED)
    write_json(folder / MANIFEST, {path.relative_to(folder).as_posix(): sha256_of(path) for path in listed})


def check_files(folder: Path) -> None:
    """Compare a model's files with their content hashes; a model without a record of them passes.

    Raises:
        BrokenModelError: a file is missing or is not as training wrote it.
    """
    state = []
    for name in (wanted := read_manifest(folder) or {}):
        if not (folder / name).is_file():
            raise BrokenModelError(folder, f"{name} is missing")
        stat = (folder / name).stat()
        state.append((str(folder / name), stat.st_size, stat.st_mtime_ns))
    if not wanted or tuple(state) in _COMPARED:
        return
    for name, digest in wanted.items():
        if sha256_of(folder / name) != digest:
            raise BrokenModelError(folder, f"{name} is not as training wrote it")
    _COMPARED.add(tuple(state))

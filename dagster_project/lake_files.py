"""Manifest of the lake: every appended Parquet file with its size, rows, content hash and origins.

``check`` compares a table's folder with its manifest. A file that is cut off, garbage or of another table is set aside
in ``HOME/broken``, so that reads of the table go on; one that vanished is noticed. Both are *lost* until their rows are
there again: landing reads their origins again, labelling labels again, and what nobody can make anew stays named.

Unchanged files cost one ``stat`` each: content is hashed only when size or time of writing differ from the manifest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import polars as pl

from dagster_project.files import (
    locked,
    read_state,
    relocate,
    remove_abandoned,
    set_aside,
    sha256_of,
    tell_repair,
    unreadable,
    write_text,
)
from dagster_project.home import Home
from dagster_project.lake_tables import schema_of

EMPTY_DAY = "ingest_date=1970-01-01"
"""Folder of files that belong to no day: the typed empty file, and tables that are replaced as a whole."""


@dataclass(frozen=True)
class LakeFile:
    """One file of a table; ``lost`` is the reason why its rows are missing, empty while they are there."""

    size: int
    written: int
    rows: int
    sha256: str
    origins: tuple[str, ...] = ()
    lost: str = ""


@dataclass(frozen=True)
class Lost:
    """Rows of the lake that are missing: ``origins`` are the ``source:file`` that they came from."""

    table: str
    file: str
    rows: int
    origins: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        return f"lake/{self.table}/{self.file} ({self.rows:,} rows) {self.reason}"


@dataclass
class _Manifest:
    files: dict[str, LakeFile] = field(default_factory=dict)


def lock_table(home: Home, table: str, waiting: Callable[[str], None] = lambda _: None) -> AbstractContextManager[None]:
    """The lock of a table's writers, who look what the lake holds and then append what it lacks."""
    return locked(home.lake / "_locks" / f"{table}.lock", waiting)


def note(home: Home, table: str, written: Mapping[Path, pl.DataFrame]) -> None:
    """Record files that were just appended, with their rows."""
    with _manifest_lock(home, table):
        known = _load(home, table) or {}
        for path, rows in written.items():
            known[path.relative_to(home.lake / table).as_posix()] = _described(path, rows)
        _save(home, table, known)


def check(home: Home, table: str, *, deep: bool = False) -> list[Lost]:
    """Find the files of a table that are broken or gone; broken ones are set aside.

    Args:
        home: home of the lake.
        table: its name.
        deep: hash every file, also those whose size and time of writing are as noted.

    Returns:
        Everything that is lost by now, also what earlier checks found.
    """
    root = home.lake / table
    with _manifest_lock(home, table):
        known = _load(home, table)
        found = {path.relative_to(root).as_posix(): path for path in root.glob("*/*.parquet")}
        files = {
            name: _checked(home, table, name, path, (known or {}).get(name), deep=deep) for name, path in found.items()
        }
        for name, before in (known or {}).items():
            if name not in found:
                files[name] = _gone(table, name, before)
        appended = {name: file for name, file in files.items() if file is not None}
        if appended != known:
            _save(home, table, appended)
    for day in root.glob("*"):
        remove_abandoned(day)
    return [Lost(table, name, one.rows, one.origins, one.lost) for name, one in sorted(appended.items()) if one.lost]


def forget(home: Home, lost: Iterable[Lost]) -> None:
    """Drop lost files from the manifest: their rows are there again, in this file or others, or were given up."""
    given_up = {(one.table, one.file) for one in lost}
    for table in {table for table, _ in given_up}:
        with _manifest_lock(home, table):
            known = _load(home, table) or {}
            kept = {name: one for name, one in known.items() if not (one.lost and (table, name) in given_up)}
            if kept != known:
                _save(home, table, kept)


def retire(home: Home, table: str, path: Path, place: Path) -> None:
    """Move a file out of a table on purpose: it is dropped from the manifest, so its rows do not count as lost."""
    with _manifest_lock(home, table):
        known = _load(home, table) or {}
        if known.pop(path.relative_to(home.lake / table).as_posix(), None):
            _save(home, table, known)
        if path.exists():
            relocate(path, place)


def _checked(home: Home, table: str, name: str, path: Path, before: LakeFile | None, *, deep: bool) -> LakeFile | None:
    """The entry of a file that is there; None for one that is not kept in the manifest."""
    by_hand = name.startswith(EMPTY_DAY)
    stat = path.stat()
    if not deep and before and not before.lost and (before.size, before.written) == (stat.st_size, stat.st_mtime_ns):
        return before
    reason, entry = _examined(table, path, before)
    if reason:
        place = set_aside(path, home.root / "broken" / table)
        tell_repair(f"lake/{table}/{name} {reason}: it is now {place}")
        return None if by_hand else replace(before or LakeFile(0, 0, 0, ""), lost=reason)
    if before and before.lost:
        tell_repair(f"lake/{table}/{name} ({entry.rows:,} rows) is there again")
    return None if by_hand else entry


def _examined(table: str, path: Path, before: LakeFile | None) -> tuple[str, LakeFile]:
    """What is wrong with a file (empty if nothing is), and its entry."""
    nothing = LakeFile(0, 0, 0, "")
    try:
        if path.is_dir():
            return "is a folder", nothing
        if not path.stat().st_size:
            return "is empty", nothing
        if before and before.sha256:
            entry = replace(before, size=path.stat().st_size, written=path.stat().st_mtime_ns, lost="")
            return ("" if sha256_of(path) == before.sha256 else "is not as it was written"), entry
        rows = pl.read_parquet(path, hive_partitioning=False)
    except OSError as error:
        if error.errno is not None:
            raise unreadable(path, error) from None
        return "is no whole Parquet file", nothing
    except pl.exceptions.PolarsError:
        return "is no whole Parquet file", nothing
    wanted = schema_of(table)
    shared = [(column, kind) for column, kind in rows.schema.items() if column in wanted]
    others = [column for column, kind in shared if kind not in (wanted[column], pl.Null)]
    if others or not shared:
        return f"does not fit the table (column {', '.join(others) or 'names'})", nothing
    return "", _described(path, rows)


def _gone(table: str, name: str, before: LakeFile) -> LakeFile:
    if before.lost:
        return before
    tell_repair(f"lake/{table}/{name} ({before.rows:,} rows) is gone")
    return replace(before, lost="is gone")


def _described(path: Path, rows: pl.DataFrame) -> LakeFile:
    stat = path.stat()
    origins: tuple[str, ...] = ()
    if "loaded_from" in rows.columns:
        origins = tuple(sorted(rows["loaded_from"].drop_nulls().unique()))
    elif {"source", "file"} <= set(rows.columns):
        origins = tuple(sorted({f"{source}:{file}" for source, file in rows.select("source", "file").iter_rows()}))
    return LakeFile(stat.st_size, stat.st_mtime_ns, rows.height, sha256_of(path), origins)


def _manifest(home: Home, table: str) -> Path:
    return home.lake / "_files" / f"{table}.json"


def _manifest_lock(home: Home, table: str) -> AbstractContextManager[None]:
    return locked(home.lake / "_locks" / f"{table}.files.lock")


def _load(home: Home, table: str) -> dict[str, LakeFile] | None:
    consequence = "the files that are there are noted anew; whether others are missing cannot be told"
    manifest = read_state(_manifest(home, table), _Manifest, consequence)
    return manifest.files if manifest else None


def _save(home: Home, table: str, files: Mapping[str, LakeFile]) -> None:
    entries = {name: asdict(file) for name, file in sorted(files.items())}
    write_text(_manifest(home, table), json.dumps({"files": entries}))


def in_words(lost: Collection[Lost]) -> str:
    """Rows, files and table of what is lost, for a line of a report."""
    tables = sorted({one.table for one in lost})
    return f"{sum(one.rows for one in lost):,} rows in {len(lost)} files of {', '.join(tables)}"

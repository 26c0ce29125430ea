"""Landing marks: what each source file held when it was last read, and when each of its rows became known.

A mark lies in ``lake/_landed``, one JSON file per source and file, with the content hashes of the file's rows in a
Parquet file beside it. Without a mark (missing or broken) the file is read again, which lands nothing that the lake
holds. ``read_again`` clears the marks of lost rows, so that the next landing brings them back with their own instants.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import polars as pl
from pydantic import AwareDatetime

from dagster_project.files import read_state, tell_repair, unreadable, write_atomically, write_json
from dagster_project.home import Home
from dagster_project.lake_tables import INSTANT

SAID = {"content_hash": pl.String(), "known_at": INSTANT}
"""Columns of the file beside a mark: each row of the source file, and when it became known."""


@dataclass(frozen=True)
class Mark:
    """The last reading of one file of a source.

    ``state`` is the content's hash and the fingerprint of the source's settings; ``seen`` the first reading of this
    content. ``again`` is set where rows of it were lost since: the file is read once more.
    """

    state: str
    file: str
    source: str
    landed_at: AwareDatetime
    seen: AwareDatetime | None = None
    rows: int = 0
    problem: str = ""
    again: bool = False

    @property
    def first_seen(self) -> datetime:
        """When this content was first read; marks of earlier versions have only the last reading."""
        return self.seen or self.landed_at


def mark_path(home: Home, source: str, path: Path) -> Path:
    """Place of the mark of a source's file."""
    place = hashlib.sha256(f"{source}\x1f{path}".encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return marks_folder(home) / f"{place}.json"


def marks_folder(home: Home) -> Path:
    """The folder of all marks."""
    return home.lake / "_landed"


def read_mark(path: Path) -> Mark | None:
    """The mark at a place; None if the file was never read, or its mark is broken."""
    return read_state(path, Mark, "its source file is read again")


def all_marks(home: Home) -> dict[Path, Mark]:
    """Every mark that can be read, by its place."""
    places = (path for path in sorted(marks_folder(home).glob("*.json")) if path.name != "sources.json")
    return {path: mark for path in places if (mark := read_mark(path))}


def read_said(mark: Path) -> pl.DataFrame | None:
    """Content hash and ``known_at`` of each row at the last reading; None if that is not on record."""
    path = mark.with_suffix(".parquet")
    if not path.exists():
        return None
    try:
        rows = pl.read_parquet(path, hive_partitioning=False)
        if "known_at" not in rows.columns:
            rows = rows.with_columns(known_at=pl.lit(None, INSTANT))
        return rows.select(pl.col(name).cast(kind) for name, kind in SAID.items())
    except (pl.exceptions.PolarsError, OSError) as error:
        if isinstance(error, PermissionError):
            raise unreadable(path, error) from None
        tell_repair(f"{path} is broken: the versions of its source file's rows are told apart by the lake alone")
        return None


def write_mark(path: Path, mark: Mark, said: pl.DataFrame) -> None:
    """Note that a file was read, with its rows; the mark is last, so a crash in between repeats the reading."""
    rows = said.select(list(SAID)).unique("content_hash", keep="first").sort("content_hash")
    write_atomically(path.with_suffix(".parquet"), rows.write_parquet)
    _write(path, mark)


def read_again(home: Home, origins: Collection[str]) -> None:
    """Have the files of these origins (``source:file``) read again."""
    for path, mark in all_marks(home).items() if origins else ():
        if f"{mark.source}:{mark.file}" in origins and not mark.again:
            _write(path, replace(mark, again=True))


def _write(path: Path, mark: Mark) -> None:
    said = {name: one.isoformat() if isinstance(one, datetime) else one for name, one in asdict(mark).items()}
    write_json(path, said)

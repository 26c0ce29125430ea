"""The lake: append-only Parquet, one folder per table, one sub-folder per day of ingestion (``known_at``).

Appends are idempotent: a file is named by the hash of its rows, so writing the same rows twice leaves one file. Writes
are atomic, so readers never see a part of a file. A table's manifest (``lake_files``) finds what breaks or vanishes
later; whoever reads first and then appends what is missing holds ``lock_table``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import polars as pl
import polars.selectors as cs

from dagster_project.errors import ConfigurationError
from dagster_project.files import ensure_folder, write_atomically
from dagster_project.home import Home
from dagster_project.home_kind import MARKER
from dagster_project.lake_files import EMPTY_DAY, Lost, check, lock_table, note
from dagster_project.lake_tables import LAKE_TABLES, schema_of

__all__ = [
    "append",
    "ensure_table",
    "ensure_tables",
    "is_there",
    "lock_table",
    "refuse_borrowed",
    "replace",
    "scan",
    "scan_days",
    "scan_files",
]


def ensure_table(home: Home, table: str) -> list[Lost]:
    """Make sure that SQL over a table works: broken files are set aside, and an empty, typed one is there.

    The typed file is rewritten when the schema has grown, so a new column is there before its first row.

    Returns:
        The files whose rows are lost, as ``lake_files.check`` found them.
    """
    path = home.lake / table / EMPTY_DAY / "schema.parquet"
    for folder in (home.lake, home.lake / table, path.parent):
        ensure_folder(folder)
    lost = check(home, table)
    wanted = pl.DataFrame(schema=schema_of(table))
    if not path.exists() or pl.read_parquet_schema(path) != wanted.schema:
        _write(wanted, path)
    return lost


def ensure_tables(home: Home) -> list[Lost]:
    """Make sure that every table of the lake is there; returns the files whose rows are lost."""
    return [lost for table in LAKE_TABLES for lost in ensure_table(home, table)]


def append(home: Home, table: str, rows: pl.DataFrame) -> list[Path]:
    """Append rows (with a ``known_at`` column) to a table; returns the files written, one per day.

    The same rows in any order give the same file names, so repeating an append changes nothing.
    """
    written: dict[Path, pl.DataFrame] = {}
    rows = rows.sort(rows.columns[0], "known_at", maintain_order=True)
    for (day,), part in rows.group_by(pl.col("known_at").dt.date(), maintain_order=True):
        assert isinstance(day, date)
        plain = part.with_columns(cs.binary().bin.encode("hex")).write_csv()
        fingerprint = hashlib.sha256(plain.encode()).hexdigest()[:20]
        path = home.lake / table / f"ingest_date={day.isoformat()}" / f"{fingerprint}.parquet"
        if not path.exists():
            ensure_folder(path.parent)
            _write(part, path)
            written[path] = part
    if written:
        note(home, table, written)
    return list(written)


def replace(home: Home, table: str, rows: pl.DataFrame) -> Path:
    """Make these rows the whole of a small reference table, atomically."""
    path = home.lake / table / EMPTY_DAY / "all.parquet"
    check(home, table)  # sets a broken one aside
    if not path.exists() or not pl.read_parquet(path).equals(rows):
        _write(rows, path)
    return path


def is_there(home: Home, table: str) -> bool:
    """True if a table that is replaced as a whole has been written."""
    return (home.lake / table / EMPTY_DAY / "all.parquet").exists()


def scan(home: Home, table: str) -> pl.LazyFrame:
    """All rows of a table, lazily; the table must exist (``ensure_table``)."""
    return scan_files(home, table, ["**/*.parquet"])


def scan_days(home: Home, table: str, days: Iterable[date]) -> pl.LazyFrame:
    """The rows that became known on these days, lazily, without opening a file of any other."""
    wanted = {EMPTY_DAY, *(f"ingest_date={day.isoformat()}" for day in days)}
    present = [name for name in sorted(wanted) if (home.lake / table / name).is_dir()]
    return scan_files(home, table, [f"{name}/*.parquet" for name in present])


def scan_files(home: Home, table: str, files: Iterable[str]) -> pl.LazyFrame:
    """The rows of some files of a table, lazily; ``files`` are paths or patterns below its folder."""
    return pl.scan_parquet(
        [home.lake / table / file for file in files],
        hive_partitioning=False,
        missing_columns="insert",
        extra_columns="ignore",
    )


def refuse_borrowed(home: Home) -> None:
    """Refuse to write to a lake that another home owns: that of a view, or one that is linked by hand.

    Raises:
        ConfigurationError: the lake's folders lie in another home.
    """
    for table in LAKE_TABLES:
        place = (home.lake / table).resolve()
        owner = next((folder for folder in place.parents if (folder / MARKER).is_file()), None)
        if owner not in (None, home.root.resolve()):
            raise ConfigurationError(
                f"{home.root} reads the lake of {owner}, as a view does; it is for reading only: run this command with"
                f" --home {owner}"
            )


def _write(frame: pl.DataFrame, path: Path) -> None:
    write_atomically(path, lambda temporary: frame.write_parquet(temporary, compression="zstd"))

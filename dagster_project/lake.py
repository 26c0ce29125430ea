"""The lake: append-only Parquet, one folder per table, one sub-folder per day of ingestion (``known_at``).

Appends are idempotent: a file is named by the hash of its rows, so writing the same rows twice leaves one file. Writes
are atomic, so readers never see a part of a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import polars as pl
import polars.selectors as cs

from dagster_project.files import write_atomically
from dagster_project.home import Home
from dagster_project.lake_tables import LAKE_TABLES, schema_of

_EMPTY_DAY = "ingest_date=1970-01-01"


def ensure_table(home: Home, table: str) -> None:
    """Make sure the table's folder holds at least an empty, typed file, so that SQL over it always works.

    The file is rewritten when the schema has grown, so a new column is there before its first row.
    """
    path = home.lake / table / _EMPTY_DAY / "schema.parquet"
    wanted = pl.DataFrame(schema=schema_of(table))
    if not path.exists() or pl.read_parquet_schema(path) != wanted.schema:
        _write(wanted, path)


def ensure_tables(home: Home) -> None:
    """Make sure that every table of the lake is there."""
    for table in LAKE_TABLES:
        ensure_table(home, table)


def append(home: Home, table: str, rows: pl.DataFrame) -> list[Path]:
    """Append rows (with a ``known_at`` column) to a table; returns the files written, one per day.

    The same rows in any order give the same file names, so repeating an append changes nothing.
    """
    written = []
    rows = rows.sort(rows.columns[0], "known_at", maintain_order=True)
    for (day,), part in rows.group_by(pl.col("known_at").dt.date(), maintain_order=True):
        assert isinstance(day, date)
        plain = part.with_columns(cs.binary().bin.encode("hex")).write_csv()
        fingerprint = hashlib.sha256(plain.encode()).hexdigest()[:20]
        path = home.lake / table / f"ingest_date={day.isoformat()}" / f"{fingerprint}.parquet"
        if not path.exists():
            _write(part, path)
            written.append(path)
    return written


def replace(home: Home, table: str, rows: pl.DataFrame) -> Path:
    """Make these rows the whole of a small reference table, atomically."""
    path = home.lake / table / _EMPTY_DAY / "all.parquet"
    if not path.exists() or not pl.read_parquet(path).equals(rows):
        _write(rows, path)
    return path


def scan(home: Home, table: str) -> pl.LazyFrame:
    """All rows of a table, lazily; the table must exist (``ensure_table``)."""
    return scan_files(home, table, ["**/*.parquet"])


def scan_days(home: Home, table: str, days: Iterable[date]) -> pl.LazyFrame:
    """The rows that became known on these days, lazily, without opening a file of any other."""
    wanted = {_EMPTY_DAY, *(f"ingest_date={day.isoformat()}" for day in days)}
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


def _write(frame: pl.DataFrame, path: Path) -> None:
    write_atomically(path, lambda temporary: frame.write_parquet(temporary, compression="zstd"))

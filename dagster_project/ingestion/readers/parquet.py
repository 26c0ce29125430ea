"""Parquet files: bounded by the sizes in their footer, then decoded in slices.

The footer says how many rows there are and how large the columns are once decompressed; a file that claims too much is
refused before a page of it is read. Dictionaries may still expand: a slice holds only as many rows as fit in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import polars.selectors as cs
import pyarrow
from pyarrow import parquet

from dagster_project.errors import SourceError
from dagster_project.ingestion.file_access import is_gzip, open_bytes, open_regular
from dagster_project.ingestion.limits import LimitError, Limits
from dagster_project.ingestion.records import Record, Reject

_SLICE = 50_000
_BUFFER_ROWS, _BUFFER_BYTES = 512, 16 * 1024 * 1024
"""Rows that become Python objects at a time, and their size."""


def read_parquet(path: Path, limits: Limits) -> Iterator[Record | Reject]:
    """Read the rows of a Parquet file, gzip or not.

    Raises:
        SourceError: the file is empty, damaged, or claims more than the limits allow.
    """
    if not path.stat().st_size:
        raise SourceError(f"{path.name} is empty; nothing was read from it")
    try:
        if is_gzip(path):
            whole = limits.model_copy(update={"inflated_bytes": min(limits.inflated_bytes, limits.document_bytes)})
            with open_bytes(path, whole) as packed:
                content: bytes | Path = packed.read()
        else:
            content = path
        rows = _checked_rows(path, content, limits)
        frames = pl.scan_parquet(content, use_statistics=False, hive_partitioning=False, glob=False)
        number = 0
        for start in range(0, rows, _SLICE):
            frame = frames.slice(start, _SLICE).collect()
            for values in frame.iter_rows(named=True, buffer_size=_buffer(frame)):
                number += 1
                yield Record(values, number)
    except (pl.exceptions.PolarsError, pyarrow.ArrowException, OSError, EOFError) as error:
        raise SourceError(f"{path.name} is not Parquet: {' '.join(str(error).split())[:200]}") from None


def _buffer(frame: pl.DataFrame) -> int:
    """Rows to convert at a time: a dictionary may hold one long text to which a million rows refer."""
    texts = frame.select(cs.string().str.len_bytes().max(), cs.binary().bin.size().max())
    longest = sum(size or 0 for row in texts.rows() for size in row)
    return max(1, min(_BUFFER_ROWS, _BUFFER_BYTES // max(1, longest)))


def _checked_rows(path: Path, content: bytes | Path, limits: Limits) -> int:
    """Number of rows by the footer, after its sizes were checked."""
    with open_regular(path) if isinstance(content, Path) else pyarrow.BufferReader(content) as opened:
        size = len(content) if isinstance(content, bytes) else path.stat().st_size
        if size > limits.file_bytes:
            raise LimitError(f"{path.name} is too large", "file_bytes", limits.value("file_bytes"))
        footer = parquet.read_metadata(opened)
    most, name = limits.inflated(size)
    groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
    if sum(group.total_byte_size for group in groups) > most:
        raise LimitError(f"{path.name} decompresses to too much", name, limits.value(name))
    if footer.num_rows > limits.rows:
        raise LimitError(f"{path.name} has {footer.num_rows:,} rows", "rows", limits.value("rows"))
    if footer.num_columns > limits.columns:
        raise LimitError(f"{path.name} has {footer.num_columns:,} columns", "columns", limits.value("columns"))
    return int(footer.num_rows)

"""Deterministic encoding of rows to bytes: no time in gzip, fixed line ends, keys in the order given."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

Files = dict[str, bytes]
"""File contents by path below the shop's folder."""


def iso(instant: datetime) -> str:
    """An instant as ISO 8601 in UTC, whole seconds."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_column(name: str) -> pl.Expr:
    """The same for a column."""
    return pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def csv_bytes(rows: Iterable[Sequence[Any]], delimiter: str = ",") -> bytes:
    """CSV in UTF-8, quoted where needed."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def json_bytes(document: Any) -> bytes:
    """One JSON document."""
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def json_lines(rows: Iterable[dict[str, Any]]) -> bytes:
    """One JSON object a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def gzip_bytes(content: bytes) -> bytes:
    """Gzip without name and time."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as archive:
        archive.write(content)
    return packed.getvalue()


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """Parquet, compressed."""
    packed = io.BytesIO()
    frame.write_parquet(packed, compression="zstd")
    return packed.getvalue()

"""The generic reader: CSV, JSON Lines, JSON arrays and Parquet, gzip or not, told apart by the file's name.

CSV: the first line names the columns; comma, semicolon or tab; quoted fields may hold line breaks, and the line numbers
reported are lines of the file. NUL bytes carry no meaning in text and are dropped, counted.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from dagster_project.errors import SourceError
from dagster_project.ingestion.records import RAW_LIMIT, Record, Reject, Tally, open_bytes, read_json, read_lines
from dagster_project.ingestion.sources import SourceConfig
from dagster_project.outgoing import excerpt

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a review of several megabytes is a review

_NUL = "\x00"


def read(path: Path, source: SourceConfig, tally: Tally) -> Iterator[Record | Reject]:
    """Read the records of a file of any supported format.

    Raises:
        SourceError: the file is empty, damaged as a whole, or of an unknown kind.
    """
    kind = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if kind in {"csv", "tsv", "txt"}:
        return read_csv(path, source.encoding, tally)
    if kind in {"jsonl", "ndjson"}:
        return _read_json_lines(path, source.encoding, tally)
    if kind == "json":
        return _read_json_array(path, source.encoding)
    if kind == "parquet":
        return _read_parquet(path)
    raise SourceError(
        f"{path.name} is none of .csv, .tsv, .jsonl, .ndjson, .json and .parquet (or .gz of them); rename it"
    )


def read_csv(path: Path, encoding: str, tally: Tally) -> Iterator[Record | Reject]:
    """Read the rows of a CSV file by the names in its first line.

    One bad row costs one row: when a row does not fit, its first line is rejected and reading goes on with the next
    line, so a quote that is never closed does not swallow what follows.

    Raises:
        SourceError: the first line cannot be read, so no row can be understood.
    """
    lines = _Lines(read_lines(path, encoding), tally)
    first = next(lines, None)
    if first is None or lines.rejects:
        reason = lines.rejects[0].reason if lines.rejects else "it holds no line"
        raise SourceError(f"{path.name}: its header cannot be read: {reason}")
    delimiter = max(",;\t", key=first.count)
    try:
        names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter, strict=True))]
    except csv.Error as error:
        raise SourceError(f"{path.name}: its first line is no CSV header: {error}; look for a stray quote") from None
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(f"{path.name}: two columns are named '{twice[0]}', and one would hide the other; rename one")
    while True:
        lines.begin_row()
        row, fault = _next_row(lines, delimiter, names)
        yield from lines.rejects
        lines.rejects.clear()
        if row is None and not fault:
            return
        number, text = lines.row_start()
        if fault:
            lines.keep_only_first()
            yield Reject(fault, number, text[:RAW_LIMIT])
        elif row:
            yield Record(dict(zip(names, row, strict=True)), number)


def _next_row(lines: _Lines, delimiter: str, names: list[str]) -> tuple[list[str] | None, str]:
    """Next row (None at the end), and the reason if it is malformed."""
    try:
        row = next(csv.reader(lines, delimiter=delimiter, strict=True), None)
    except csv.Error as error:
        return None, f"the row is not CSV: {error}; look for a stray quote"
    if row and len(row) != len(names):
        return (
            row,
            f"the row has {len(row)} fields, the header {len(names)}; look for a stray quote or separator",
        )
    return row, ""


class _Lines:
    """Line iterator with numbers that can push back the lines of the current row."""

    def __init__(self, source: Iterator[str | Reject], tally: Tally) -> None:
        self._source = enumerate(source, start=1)
        self._tally = tally
        self._again: deque[tuple[int, str]] = deque()
        self._row: list[tuple[int, str]] = []
        self.rejects: list[Reject] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._again:
            self._row.append(self._again.popleft())
            return self._row[-1][1]
        for number, line in self._source:
            if isinstance(line, Reject):
                self.rejects.append(line)
                continue
            self._row.append((number, _without_nul(line, self._tally)))
            return self._row[-1][1]
        raise StopIteration

    def begin_row(self) -> None:
        self._row.clear()

    def row_start(self) -> tuple[int, str]:
        return self._row[0]

    def keep_only_first(self) -> None:
        """Push back every line of this row but the first, to be read as rows of their own."""
        self._again.extendleft(reversed(self._row[1:]))


def _without_nul(line: str, tally: Tally) -> str:
    if _NUL not in line:
        return line
    tally.note("NUL bytes dropped from a line")
    return line.replace(_NUL, "")


def _read_json_lines(path: Path, encoding: str, tally: Tally) -> Iterator[Record | Reject]:
    for number, line in enumerate(read_lines(path, encoding), start=1):
        if isinstance(line, Reject):
            yield line
            continue
        if not line.strip():
            continue
        try:
            values = json.loads(_without_nul(line, tally))
        except json.JSONDecodeError as error:
            yield Reject(f"the line is not JSON: {error.msg} at character {error.pos + 1}", number, line[:RAW_LIMIT])
            continue
        except (ValueError, RecursionError) as error:  # a number of thousands of digits, or nesting without end
            yield Reject(f"the line is JSON that cannot be read: {error}", number, line[:RAW_LIMIT])
            continue
        if isinstance(values, dict):
            yield Record(values, number)
        else:
            yield Reject(f"the line holds a JSON {type(values).__name__}, not an object", number, line[:10_000])


def _read_json_array(path: Path, encoding: str) -> Iterator[Record | Reject]:
    document = read_json(path, encoding)
    if not isinstance(document, list):
        raise SourceError(f"{path.name} holds a JSON {type(document).__name__} where an array of objects is expected")
    for number, values in enumerate(document, start=1):
        if isinstance(values, dict):
            yield Record(values, number)
        else:
            yield Reject(f"element {number} of the array is not an object", number, json.dumps(values)[:10_000])


def _read_parquet(path: Path) -> Iterator[Record | Reject]:
    with open_bytes(path) as source:
        content = source.read()
    if not content:
        raise SourceError(f"{path.name} is empty; nothing was read from it")
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceError(f"{path.name} is not Parquet: {excerpt(error)}") from None
    for number, values in enumerate(frame.iter_rows(named=True), start=1):
        yield Record(values, number)

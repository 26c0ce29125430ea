"""The generic reader: CSV, JSON Lines, JSON arrays and Parquet, gzip or not, told apart by the file's name.

CSV: the first line names the columns; comma, semicolon or tab; quoted fields may hold line breaks, and the line numbers
reported are lines of the file. NUL bytes carry no meaning in text and are dropped, counted.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from dagster_project.errors import SourceError
from dagster_project.ingestion.file_access import read_json, read_lines
from dagster_project.ingestion.limits import LimitError
from dagster_project.ingestion.readers.parquet import read_parquet
from dagster_project.ingestion.records import RAW_LIMIT, Record, Reject, Tally, as_raw
from dagster_project.ingestion.sources import SourceConfig

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a review of several megabytes is a review

_NUL = "\x00"

_REPEATED_FREE, _REPEATED_TIMES = 32 * 1024 * 1024, 4
"""Characters of a CSV file that may be read twice because of broken quotes: so many, and so many times the file."""


def read(path: Path, source: SourceConfig, tally: Tally) -> Iterator[Record | Reject]:
    """Read the records of a file of any supported format.

    Raises:
        SourceError: the file is empty, damaged as a whole, or of an unknown kind.
    """
    kind = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if kind in {"csv", "tsv", "txt"}:
        return read_csv(path, source, tally)
    if kind in {"jsonl", "ndjson"}:
        return _read_json_lines(path, source, tally)
    if kind == "json":
        return _read_json_array(path, source)
    if kind == "parquet":
        return read_parquet(path, source.limits)
    raise SourceError(
        f"{path.name} is none of .csv, .tsv, .jsonl, .ndjson, .json and .parquet (or .gz of them); rename it"
    )


def read_csv(path: Path, source: SourceConfig, tally: Tally) -> Iterator[Record | Reject]:
    """Read the rows of a CSV file by the names in its first line.

    One bad row costs one row: when a row does not fit, its first line is rejected and reading goes on with the next
    line, so a quote that is never closed does not swallow what follows. A row may be as long as a line.

    Raises:
        SourceError: the first line cannot be read, so no row can be understood; or quotes are broken all over the file.
    """
    limits = source.limits
    lines = _Lines(read_lines(path, source.encoding, limits), tally, limits.line_bytes)
    first = next(lines, None)
    if first is None or lines.rejects:
        reason = lines.rejects[0].reason if lines.rejects else "it holds no line"
        raise SourceError(f"{path.name}: its header cannot be read: {reason}")
    delimiter = max(",;\t", key=first.count)
    try:
        names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter, strict=True))]
    except csv.Error as error:
        raise SourceError(f"{path.name}: its first line is no CSV header: {error}; look for a stray quote") from None
    if len(names) > limits.columns:
        raise LimitError(f"{path.name} has {len(names):,} columns", "columns", limits.value("columns"))
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
            if lines.are_hopeless:
                raise SourceError(f"{path.name} has quotes out of place from line {number:,} on; export it again")
        elif row:
            yield Record(dict(zip(names, row, strict=True)), number)


def _next_row(lines: _Lines, delimiter: str, names: list[str]) -> tuple[list[str] | None, str]:
    """Next row (None at the end), and the reason if it is malformed."""
    try:
        row = next(csv.reader(lines, delimiter=delimiter, strict=True), None)
    except csv.Error as error:
        return None, f"the row is not CSV: {error}; look for a stray quote"
    except _RowTooLongError:
        return None, "the row is longer than `limits.line_bytes`; look for a quote that is never closed"
    if row and len(row) != len(names):
        return (
            row,
            f"the row has {len(row)} fields, the header {len(names)}; look for a stray quote or separator",
        )
    return row, ""


class _RowTooLongError(Exception):
    pass


class _Lines:
    """Line iterator with numbers that can push back the lines of the current row."""

    def __init__(self, source: Iterator[str | Reject], tally: Tally, most: int) -> None:
        self._source = enumerate(source, start=1)
        self._tally = tally
        self._most = most
        self._again: deque[tuple[int, str]] = deque()
        self._row: list[tuple[int, str]] = []
        self._row_length = self._new = self._repeated = 0
        self.rejects: list[Reject] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._row_length > self._most:
            raise _RowTooLongError
        if self._again:
            return self._in_row(self._again.popleft())
        for number, line in self._source:
            if isinstance(line, Reject):
                self.rejects.append(line)
                continue
            self._new += len(line)
            return self._in_row((number, _without_nul(line, self._tally)))
        raise StopIteration

    @property
    def are_hopeless(self) -> bool:
        """True once far more has been pushed back than read: rows that each swallow many lines take quadratic time."""
        return self._repeated > _REPEATED_FREE + _REPEATED_TIMES * self._new

    def _in_row(self, line: tuple[int, str]) -> str:
        self._row.append(line)
        self._row_length += len(line[1])
        return line[1]

    def begin_row(self) -> None:
        self._row.clear()
        self._row_length = 0

    def row_start(self) -> tuple[int, str]:
        return self._row[0]

    def keep_only_first(self) -> None:
        """Push back every line of this row but the first, to be read as rows of their own."""
        self._again.extendleft(reversed(self._row[1:]))
        self._repeated += self._row_length - len(self._row[0][1])


def _without_nul(line: str, tally: Tally) -> str:
    if _NUL not in line:
        return line
    tally.note("NUL bytes dropped from a line")
    return line.replace(_NUL, "")


def _read_json_lines(path: Path, source: SourceConfig, tally: Tally) -> Iterator[Record | Reject]:
    for number, line in enumerate(read_lines(path, source.encoding, source.limits), start=1):
        if isinstance(line, Reject):
            yield line
        elif line.strip():
            yield json_record(_without_nul(line, tally), number)


def json_record(line: str, number: int) -> Record | Reject:
    """One line of JSON Lines as a record."""
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        return Reject(f"the line is not JSON: {error.msg} at character {error.pos + 1}", number, line[:RAW_LIMIT])
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or nesting without end
        return Reject(f"the line is JSON that cannot be read: {error}", number, line[:RAW_LIMIT])
    if isinstance(values, dict):
        return Record(values, number)
    return Reject(f"the line holds a JSON {type(values).__name__}, not an object", number, line[:RAW_LIMIT])


def _read_json_array(path: Path, source: SourceConfig) -> Iterator[Record | Reject]:
    document = read_json(path, source.encoding, source.limits)
    if not isinstance(document, list):
        raise SourceError(f"{path.name} holds a JSON {type(document).__name__} where an array of objects is expected")
    for number, values in enumerate(document, start=1):
        if isinstance(values, dict):
            yield Record(values, number)
        else:
            yield Reject(f"element {number} of the array is not an object", number, as_raw(values))

"""The generic reader: CSV, JSON Lines, JSON arrays and Parquet, gzip or not, told apart by the file's name.

CSV: the first line names the columns; comma, semicolon or tab; quoted fields may hold line breaks, and the line numbers
reported are lines of the file. NUL bytes carry no meaning in text and are dropped, counted.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from dagster_project.errors import SourceError
from dagster_project.ingestion.records import Record, Reject, Tally, open_bytes, read_json, read_lines
from dagster_project.ingestion.sources import SourceConfig

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a review of several megabytes is a review

_NUL = "\x00"


def read(path: Path, source: SourceConfig, tally: Tally) -> Iterator[Record | Reject]:
    """The file's records, whatever its format.

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
    """The rows of a CSV file by the names in its first line."""
    places: list[int] = []
    rejects: list[Reject] = []

    def good_lines() -> Iterator[str]:
        for number, line in enumerate(read_lines(path, encoding), start=1):
            if isinstance(line, Reject):
                rejects.append(line)
                continue
            places.append(number)
            yield _without_nul(line, tally)

    lines = good_lines()
    first = next(lines, None)
    if first is None:
        yield from rejects
        return
    delimiter = max(",;\t", key=first.count)
    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter))]
    rows = csv.reader(lines, delimiter=delimiter)
    while True:
        begin = rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield Reject(f"the row is not CSV: {error}", places[begin] if begin < len(places) else None)
            continue
        yield from rejects
        rejects.clear()
        if row is None:
            return
        if not row:
            continue
        line = places[begin]
        if len(row) != len(names):
            reason = (
                f"the row has {len(row)} fields where the header has {len(names)}; look for a stray quote or separator"
            )
            yield Reject(reason, line, delimiter.join(row)[:10_000])
            continue
        yield Record(dict(zip(names, row, strict=True)), line)


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
            yield Reject(f"the line is not JSON: {error.msg} at character {error.pos + 1}", number, line[:10_000])
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
        raise SourceError(f"{path.name} is not Parquet: {' '.join(str(error).split())[:200]}") from None
    for number, values in enumerate(frame.iter_rows(named=True), start=1):
        yield Record(values, number)

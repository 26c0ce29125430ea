"""Validation: convert mapped records to typed rows and check the table's contract; rejects carry a reason.

Conversion is by column, on polars frames. Any spelling of a value converts: "5", 5 and 5.0 are the same rating.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import dataframely as dy
import polars as pl

from dagster_project.ingestion.contracts import TABLES, allowed, own_columns
from dagster_project.ingestion.mapping import MappedRecord, is_missing
from dagster_project.ingestion.plausibility import implausible
from dagster_project.ingestion.records import Record, Reject
from dagster_project.ingestion.sources import SourceConfig
from dagster_project.lake_tables import INSTANT
from dagster_project.outgoing import excerpt

_WHOLE_NUMBERS = 2.0**63
"""Bound of whole numbers in the lake."""

_LONG = re.compile(r"\d{19}")
_TRUE = {"true", "t", "yes", "y", "1", "on", "enabled"}
_FALSE = {"false", "f", "no", "n", "0", "off", "disabled"}


@dataclass(frozen=True)
class Validated:
    """Valid rows (``known_at`` is null where the source gives none), and rejects."""

    rows: pl.DataFrame
    rejects: list[Reject]


def validate(
    records: Sequence[Record],
    names: Sequence[MappedRecord],
    source: SourceConfig,
    loaded_from: str,
    now: datetime | None = None,
) -> Validated:
    """Validate records, given with their mapped values, as rows of the source's table.

    Every record is returned exactly once: as a row or as a reject. ``now`` bounds when a row can have happened.
    """
    table = source.target
    named = [one.row for one in names]
    columns = own_columns(table)
    typed: dict[str, pl.Series] = {}
    problems: list[str | None] = [None] * len(records)
    for name, kind in {**columns, "known_at": INSTANT}.items():
        values, faults = _convert([row.get(name) for row in named], kind, source, name)
        typed[name] = pl.Series(name, values, dtype=kind, strict=False)
        for index, fault in faults.items():
            problems[index] = problems[index] or f"{name} {_short(fault)} is not {_wanted(kind, source)}"
    if "schema_version" in columns:
        typed["schema_version"] = typed["schema_version"].fill_null(1)
    known = set(typed) | {"attributes"}
    # ``updated_at`` orders the versions of a row; it stays an attribute, and an unreadable one is ignored.
    updates, _ = _convert([row.get("updated_at") for row in named], INSTANT, source, "updated_at")
    attributes = [
        _attributes({**one.kept, **{key: value for key, value in one.row.items() if key not in known}}, one.row)
        for one in names
    ]
    frame = pl.DataFrame([*typed.values(), pl.Series("attributes", attributes, dtype=pl.String)])
    for index, fault in _broken_rules(frame.select(list(columns)), table).items():
        problems[index] = problems[index] or fault
    for index, fault in implausible(frame, table, now).items() if now else ():
        problems[index] = problems[index] or fault
    hashes = [hashlib.sha256(text.encode()).hexdigest()[:24] for text in _contents(frame.drop("known_at"))]
    good = pl.Series([problem is None for problem in problems], dtype=pl.Boolean)
    rows = frame.with_columns(
        pl.lit(loaded_from).alias("loaded_from"),
        pl.Series("content_hash", hashes, dtype=pl.String),
        pl.Series("updated", updates, dtype=INSTANT),
        pl.Series("line", [record.line for record in records], dtype=pl.Int64),
        pl.int_range(pl.len()).alias("position"),
    ).filter(good)
    rejects = [
        Reject(problem, record.line, record.raw())
        for record, problem in zip(records, problems, strict=True)
        if problem is not None
    ]
    return Validated(rows, rejects)


def _convert(
    values: Sequence[Any], kind: pl.DataType, source: SourceConfig, name: str
) -> tuple[list[Any], dict[int, Any]]:
    """Values in the column's type, and by position the values that failed to convert."""
    converted: list[Any] = []
    faults: dict[int, Any] = {}
    cache: dict[Any, Any] = {}
    for index, value in enumerate(values):
        try:
            key = (type(value), value)
            if key not in cache:
                cache[key] = _one(value, kind, source, name)
            converted.append(cache[key])
        except TypeError:  # an unhashable value, such as a nested object
            converted.append(_one(value, kind, source, name) if kind == pl.String else None)
            if kind != pl.String:
                faults[index] = value
        except (ValueError, OverflowError):
            converted.append(None)
            faults[index] = value
    return converted, faults


def _one(value: Any, kind: pl.DataType, source: SourceConfig, name: str) -> Any:
    if kind == pl.String:
        return _as_text(value)
    if is_missing(value):
        return None
    if kind == INSTANT:
        instant = instant_of(value, source)
        return instant + source.known_at.after if name == "known_at" and source.known_at else instant
    if kind == pl.Boolean:
        word = str(value).strip().lower()
        if word not in _TRUE | _FALSE:
            raise ValueError(word)
        return word in _TRUE
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(number)
    if kind == pl.Int64:
        if number != int(number) or abs(number) >= _WHOLE_NUMBERS:
            raise ValueError(number)
        return int(number)
    return number


def _as_text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, dict | list):
        return as_json(value)
    text = str(value).replace("\x00", "").strip()
    # Lone surrogates cannot be stored as UTF-8; they come from broken JSON escapes.
    return text.encode("utf-8", "replace").decode() or None


def instant_of(value: Any, source: SourceConfig) -> datetime:
    """Parse an instant, by the source's ``date_format`` and ``timezone``; the result is in UTC.

    Raises:
        ValueError: the value is no instant.
        OverflowError: the value is a number far out of range.
    """
    if isinstance(value, datetime):
        instant = value
    elif isinstance(value, date):
        instant = datetime(value.year, value.month, value.day)
    else:
        text = str(value).strip()
        if source.date_format:
            instant = datetime.strptime(text, source.date_format)
        elif text.removesuffix(".0").isdigit() and len(text.removesuffix(".0")) in {10, 13}:
            seconds = int(text.removesuffix(".0"))
            return datetime.fromtimestamp(seconds / (1000 if seconds >= 10**11 else 1), UTC)
        else:
            instant = datetime.fromisoformat(text)
    instant = instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(source.timezone))
    if not 1970 <= instant.year <= 2200:
        raise ValueError(instant)
    return instant.astimezone(UTC)


def _attributes(extra: dict[str, Any], row: dict[str, Any]) -> str:
    """Columns outside the contract as JSON, merged with an ``attributes`` column of the source."""
    given = row.get("attributes")
    if isinstance(given, str) and given.strip().startswith("{"):
        try:
            given = json.loads(given)
        except json.JSONDecodeError:
            given = {"attributes": given}
    merged = {
        **(given if isinstance(given, dict) else {}),
        **{name: value for name, value in extra.items() if value is not None and value != ""},
    }
    text = as_json(merged).replace("\\u0000", "")
    return text.encode("utf-8", "replace").decode()


def as_json(value: Any) -> str:
    """Any value as standard JSON, which knows neither NaN, infinity nor numbers beyond 64 bits: they become texts."""
    try:
        text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str, allow_nan=False)
    except (ValueError, TypeError):  # TypeError: names of mixed types, which cannot be sorted
        return json.dumps(_standard(value), sort_keys=True, ensure_ascii=False, default=str)
    return json.dumps(_standard(value), sort_keys=True, ensure_ascii=False, default=str) if _LONG.search(text) else text


def _standard(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _standard(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_standard(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _WHOLE_NUMBERS:
        return str(value)
    return value


def _broken_rules(frame: pl.DataFrame, table: str) -> dict[int, str]:
    """First broken rule of each invalid row, as text, by position."""
    failure = _positioned(table).filter(frame.with_row_index("position"), cast=True).failure
    if len(failure) == 0:
        return {}
    details = failure.details()
    rules = [column for column in details.columns if column not in frame.columns and column != "position"]
    return {
        row["position"]: _in_words(
            table, next(rule for rule in rules if row[rule] == "invalid"), frame.row(row["position"], named=True)
        )
        for row in details.iter_rows(named=True)
    }


@cache
def _positioned(table: str) -> type[dy.Schema]:
    """The table's contract with a row number, to identify invalid rows."""
    contract = TABLES[table].contract
    return type(f"Positioned{contract.__name__}", (contract,), {"position": dy.UInt32(nullable=False)})


def _in_words(table: str, rule: str, row: dict[str, Any]) -> str:
    column, _, broken = rule.partition("|")
    if not broken:
        return rule.replace("_", " ") + " is broken"
    value = row[column]
    if value is None or value == "":
        return f"{column} is missing"
    return f"{column} is {_short(value)}; allowed is {allowed(table, column)}"


def _contents(frame: pl.DataFrame) -> Iterable[str]:
    names = sorted(frame.columns)
    for row in frame.select(names).iter_rows():
        yield "\x1f".join("" if value is None else str(value) for value in row)


def _wanted(kind: pl.DataType, source: SourceConfig) -> str:
    if kind == INSTANT:
        expected = f"a date in the format {source.date_format}" if source.date_format else "an ISO 8601 date"
        return f"{expected}; set `date_format` if the source writes dates otherwise"
    return {pl.Boolean: "true or false", pl.Int64: "a whole number"}.get(type(kind), "a number")


def _short(value: Any) -> str:
    return repr(excerpt(value, 60))

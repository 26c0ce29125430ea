"""Column mapping: renames, defaults, constants, templates, derived ids and texts, applied in this order.

A setting overrides the file's own value, since someone wrote it on purpose. The overridden value is kept in
``attributes`` under its own name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dagster_project.errors import SourceError
from dagster_project.ingestion.contracts import TABLES, required_columns
from dagster_project.ingestion.records import Record
from dagster_project.ingestion.sources import SourceConfig

_MISSING = {"", "null", "none", "nan", "n/a", "na"}
"""Null texts in columns that are not free text."""


@dataclass(frozen=True)
class MappedRecord:
    """A mapped record: ``row`` by our columns, ``kept`` overridden values, ``replaced`` overrides worth a warning."""

    row: dict[str, Any]
    kept: dict[str, Any]
    replaced: dict[str, Any]


def map_record(values: Mapping[str, Any], source: SourceConfig, defaults: Mapping[str, object]) -> MappedRecord:
    """Map one record to our column names.

    Raises:
        SourceError: a setting names a column that the record does not have.
    """
    if source.missing:
        values = {name: None if value in source.missing else value for name, value in values.items()}
    row, kept, replaced = _renamed(values, source)
    for name, value in defaults.items():
        if is_missing(row.get(name)):
            row[name] = value
    before = dict(row)
    row.update(source.constants)
    if source.known_at is not None:
        column = source.known_at.column
        if column not in values and column not in row:
            raise SourceError(f"there is no column '{column}', which `known_at` names; it has {', '.join(values)}")
        row["known_at"] = values.get(column, row.get(column))
    _derive(row, values, source)
    for name in _set_columns(source):
        # A value that a rename moved here counts as overridden, too.
        if name in before and before[name] != defaults.get(name) and _differs(before[name], row[name]):
            kept.setdefault(name, before[name])
            if name in source.constants:
                replaced[f"constants.{name} replaced the file's own {name}"] = before[name]
    return MappedRecord(row, kept, replaced)


def missing_columns(rows: Iterable[MappedRecord], source: SourceConfig) -> list[str]:
    """Required columns without a value in any record: the sign of a wrong or changed export."""
    seen: set[str] = set()
    for one in rows:
        seen |= {name for name, value in one.row.items() if value is not None}
    return [name for name in required_columns(source.target) if name not in seen]


def map_records(records: Iterable[Record], source: SourceConfig, defaults: Mapping[str, object]) -> list[MappedRecord]:
    """Map every record."""
    return [map_record(record.values, source, defaults) for record in records]


def is_missing(value: Any) -> bool:
    """True for None and null texts, in a column that is not free text."""
    return value is None or (isinstance(value, str) and value.strip().lower() in _MISSING)


def _renamed(values: Mapping[str, Any], source: SourceConfig) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Apply ``renames``; of several columns renamed to one, the first with a value is taken."""
    row = {name: value for name, value in values.items() if name not in source.renames}
    kept: dict[str, Any] = {}
    replaced: dict[str, Any] = {}
    taken: set[str] = set()
    for name, target in source.renames.items():
        if name not in values:
            continue
        value, there = values[name], row.get(target)
        if target in taken and not is_missing(there):
            if _differs(value, there):
                kept[name] = value
                replaced[f"renames.{name} was not used"] = value
        else:
            if not is_missing(value) and _differs(there, value):
                kept[target] = there
                replaced[f"renames.{name} replaced the file's own {target}"] = there
            if not is_missing(value) or is_missing(there):
                row[target] = value
        taken.add(target)
    return row, kept, replaced


def _derive(row: dict[str, Any], values: Mapping[str, Any], source: SourceConfig) -> None:
    for name, template in source.templates.items():
        try:
            row[name] = template.format_map({key: "" if value is None else value for key, value in row.items()})
        except (KeyError, ValueError, IndexError) as error:
            raise SourceError(
                f"templates.{name} asks for {error}, which no column gives; it has {', '.join(row)}"
            ) from None
    if source.text_from:
        parts = [str(values.get(name) or "").strip() for name in source.text_from]
        row["text"] = next((part for part in parts if part), None)
    if source.id_from:
        text = "\x1f".join(str(values.get(name) or "") for name in source.id_from)
        row[TABLES[source.target].key[0]] = f"{source.name}-{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def _set_columns(source: SourceConfig) -> list[str]:
    """Columns set by a setting other than a rename."""
    derived = [*source.constants, *source.templates]
    derived += ["known_at"] if source.known_at else []
    derived += ["text"] if source.text_from else []
    return [*derived, TABLES[source.target].key[0]] if source.id_from else derived


def _differs(lost: Any, used: Any) -> bool:
    """True if an overridden value exists and differs from the one used."""
    if lost is None or str(lost).strip() == "":
        return False
    if str(lost).strip().lower() == str(used).strip().lower():
        return False
    try:
        return float(lost) != float(used)
    except (TypeError, ValueError):
        return True

"""Contracts of the input tables, as ingestion needs them: names, own and required columns, allowed values in words.

The tables themselves, with the rules of a row, stand in ``dagster_project.lake_tables``.
"""

from __future__ import annotations

import dataframely as dy

from dagster_project.lake_tables import FUNNEL_STEPS, LAKE_TABLES, Columns, InputTable, lake_types
from models_ml.taxonomy import CHANNELS

TABLES = {name: table for name, table in LAKE_TABLES.items() if isinstance(table, InputTable)}
"""The tables that configured sources fill, by name."""


def own_columns(table: str) -> Columns:
    """The columns of an input table that a source fills, with their types in the lake."""
    return lake_types(TABLES[table].contract)


def required_columns(table: str) -> list[str]:
    """The columns without which a row cannot land, but for those that landing fills itself."""
    columns = TABLES[table].contract.columns()
    return [name for name, column in columns.items() if not column.nullable and name != "schema_version"]


def allowed(table: str, column: str) -> str:
    """The values that a column may hold, in words."""
    kind = TABLES[table].contract.columns()[column]
    if isinstance(kind, dy.Enum):
        return "one of " + ", ".join(CHANNELS if column == "channel" else FUNNEL_STEPS)
    if isinstance(kind, dy.Float64 | dy.Int64):
        low, high = kind.min, kind.max
        limits = [f"at least {low:g}" if low is not None else "", f"at most {high:g}" if high is not None else ""]
        return " and ".join(filter(None, limits)) or "a number"
    return {dy.Datetime: "a date or an instant", dy.Bool: "true or false"}.get(type(kind), "some text")

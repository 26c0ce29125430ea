"""Rows for people: small Markdown tables and bar charts, for asset metadata and pages.

Every cell may hold a customer's words: it goes through the door (``outgoing.py``), is escaped, and only then cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from dagster_project import sanitize
from dagster_project.outgoing import excerpt

CELL = 80
"""Characters of a cell, before escaping."""


class Link(str):
    """A cell that is an address of our own, shown as a link."""


def preview(rows: pl.LazyFrame, limit: int = 5) -> str:
    """The rows known last, as a Markdown table for people."""
    latest = rows.sort("known_at", descending=True) if "known_at" in rows.collect_schema() else rows
    return markdown_table(latest.head(limit).collect().to_dicts()) or "No rows yet."


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a Markdown table; long cells are cut, columns without any value are left out."""
    names = [name for name in (rows[0] if rows else ()) if any(row[name] is not None for row in rows)]
    lines = ["| " + " | ".join(cells) + " |" for cells in (map(_cell, names), ["---"] * len(names))]
    lines += ["| " + " | ".join(_cell(row[name]) for name in names) + " |" for row in rows]
    return "\n".join(lines) if names else ""


def outline(lines: Sequence[str]) -> str:
    """Lines as a Markdown list; those that begin with two blanks stand below the one before them."""
    return "\n".join(f"{'  ' if line.startswith('  ') else ''}- {_escaped(line.strip(), 1_000)}" for line in lines)


def bar_chart(counts: pl.DataFrame, width: int = 30) -> str:
    """A two-column frame (name, count) as a Markdown table with bars."""
    longest = max(counts.to_series(1).to_list(), default=0) or 1
    bars = [
        {"name": name, "count": count, "share": "█" * max(1, round(width * count / longest)) if count else ""}
        for name, count in counts.iter_rows()
    ]
    return markdown_table(bars) or "Nothing yet."


def _cell(value: object) -> str:
    if isinstance(value, Link):
        return sanitize.link(excerpt(value, CELL), value) or _escaped(value, CELL)
    return "" if value is None else _escaped(value, CELL)


def _escaped(value: object, limit: int) -> str:
    return sanitize.markdown(excerpt(value, limit), limit)

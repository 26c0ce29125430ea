"""Rows for people: small Markdown tables and bar charts, for asset metadata and pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl


def preview(rows: pl.LazyFrame, limit: int = 5) -> str:
    """The rows known last, as a Markdown table for people."""
    latest = rows.sort("known_at", descending=True) if "known_at" in rows.collect_schema() else rows
    return markdown_table(latest.head(limit).collect().to_dicts()) or "No rows yet."


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a Markdown table; long cells are cut, columns without any value are left out."""
    names = [name for name in (rows[0] if rows else ()) if any(row[name] is not None for row in rows)]
    lines = ["| " + " | ".join(cells) + " |" for cells in (names, ["---"] * len(names))]
    for row in rows:
        cells = ("" if row[name] is None else " ".join(str(row[name]).split()).replace("|", "\\|") for name in names)
        lines.append("| " + " | ".join(cell if len(cell) <= 80 else cell[:79] + "…" for cell in cells) + " |")
    return "\n".join(lines) if names else ""


def outline(lines: Sequence[str]) -> str:
    """Lines as a Markdown list; those that begin with two blanks stand below the one before them."""
    return "\n".join(f"{'  ' if line.startswith('  ') else ''}- {line.strip()}" for line in lines)


def bar_chart(counts: pl.DataFrame, width: int = 30) -> str:
    """A two-column frame (name, count) as a Markdown table with bars."""
    longest = max(counts.to_series(1).to_list(), default=0) or 1
    bars = [
        {"name": f"`{name}`", "count": count, "share": "█" * max(1, round(width * count / longest)) if count else ""}
        for name, count in counts.iter_rows()
    ]
    return markdown_table(bars) or "Nothing yet."

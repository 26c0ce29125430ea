"""Roadmap evidence: what four weeks say of each issue type and feature, and when to act on it (``fct_roadmap``)."""

from __future__ import annotations

from typing import Any

import polars as pl

from dagster_project.decisioning.published import read_mart
from dagster_project.home import Home


def read_roadmap(home: Home, product: str | None = None) -> list[dict[str, Any]]:
    """Rows of ``fct_roadmap`` with ``customers_by_segment``, in the order of their rank in each product.

    Args:
        home: the installation.
        product: rows of this product only; None means all.
    """
    keys = ["product", "issue_type", "feature"]
    where = {"product": product} if product else None
    segments = read_mart(home, "fct_roadmap_segments", where=where).sort(*keys, "segment")
    by_key: dict[tuple[str, ...], dict[str, int]] = {}
    for *key, segment, customers in segments.select(*keys, "segment", "customers").iter_rows():
        by_key.setdefault(tuple(key), {})[segment] = customers
    rows = read_mart(home, "fct_roadmap", where=where).sort("product", "roadmap_rank")
    return [{**row, "customers_by_segment": by_key.get(_key(row), {})} for row in rows.to_dicts()]


def as_table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """The rows flat, for a spreadsheet: a column ``customers_<segment>`` for each segment that there is."""
    segments = sorted({segment for row in rows for segment in row["customers_by_segment"]})
    flat = [
        {name: value for name, value in row.items() if name != "customers_by_segment"}
        | {f"customers_{segment}": row["customers_by_segment"].get(segment, 0) for segment in segments}
        for row in rows
    ]
    return pl.DataFrame(flat, infer_schema_length=None)


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["product"], row["issue_type"], row["feature"]

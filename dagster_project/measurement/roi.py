"""Return on investment, summed from the marts: money by one dimension, and what it rests on.

Rows keep the names of ``fct_roi``. Sums are sums of its rows (of ``fct_issue_roi`` by issue type); the distances of a
sum to the ends of its 90 % interval are those of its rows, added in quadrature (``docs/roi.md``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from dagster_project.decisioning.published import read_mart
from dagster_project.home import Home

DIMENSIONS = {
    "product": "product",
    "month": "month",
    "release": "release_cohort",
    "season": "season",
    "type": "issue_type",
}
"""Dimensions by which money can be summed, each with its column."""

RUNNING = "(running cost)"
"""Issue type under which the running cost stands, which belongs to no issue."""

_COUNTS = ("issues", "issues_with_intervention", "tickets", "wrong_acts", "effects_without_price")
_KINDS = ("benefit_revenue", "benefit_refunds", "benefit_support", "benefit_customers", "benefit")
_BESIDE = ("benefit_frozen", "not_attributed_value", "worsened_value")
_COSTS = ("cost_engineering", "cost_running", "cost_wrong_acts", "cost")

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Roi:
    """Money by one dimension and in all, and beside it effects by answer, adoption, DORA, unit costs and claims."""

    by: str
    since: datetime | None
    roi: Rows
    total: dict[str, Any]
    answers: dict[str, int]
    adoption: Rows
    dora: Rows
    costs: dict[str, Any]
    claims: Rows

    @property
    def is_empty(self) -> bool:
        """True if there is no issue, and no product that has adopted the loop."""
        return not self.roi


def read_roi(home: Home, *, by: str = "product", since: datetime | None = None) -> Roi:
    """Read the published marts and sum them.

    Args:
        home: the installation.
        by: a key of ``DIMENSIONS``.
        since: months from that of this instant on; None means all.

    Raises:
        ConfigurationError: nothing has been published yet.
        DecisionError: the published copy was made by a version without these marts.
    """
    first = since.replace(day=1, hour=0, minute=0, second=0, microsecond=0, tzinfo=None) if since else None
    issues = _since(read_mart(home, "fct_issue_roi"), first)
    rows = _since(read_mart(home, "fct_roi"), first)
    detailed = _by_issue(issues, rows) if by == "type" else rows
    outcomes = read_mart(
        home,
        "fct_issue_outcomes",
        ["issue_id", "answer"],
        where={"comparator": "untreated", "issue_id": issues["issue_id"]},
    )
    column = DIMENSIONS[by]
    return Roi(
        by=by,
        since=first,
        roi=summed(detailed, [column]).sort(column).to_dicts(),
        total=next(iter(summed(detailed, []).to_dicts()), {}),
        answers=dict(sorted(outcomes["answer"].value_counts().iter_rows())),
        adoption=read_mart(home, "fct_adoption").sort("product", "measure").to_dicts(),
        dora=_since(read_mart(home, "fct_dora"), first).sort("product", "month").to_dicts(),
        costs=read_mart(home, "dim_costs").row(0, named=True),
        claims=read_mart(home, "roi_claims").sort("name").to_dicts(),
    )


def summed(rows: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Rows of ``fct_roi`` summed by some of its columns (none: in all), with intervals and ratio."""
    if rows.is_empty():
        return rows.select(*by)
    low, high = pl.col("benefit") - pl.col("benefit_low"), pl.col("benefit_high") - pl.col("benefit")
    sums = (
        rows.sort(rows.columns)  # so that the last bits of a sum do not depend on the order of the rows
        .group_by([pl.col(name) for name in by] or pl.lit(0).alias("all"), maintain_order=True)
        .agg(
            pl.col("currency").first(),
            pl.col(*_COUNTS).sum(),
            pl.col(*_KINDS, *_BESIDE, *_COSTS).sum().round(2),
            below=(low**2).sum().sqrt(),
            above=(high**2).sum().sqrt(),
        )
    )
    benefit, cost = pl.col("benefit"), pl.col("cost")
    ends = {"": benefit, "_low": benefit - pl.col("below"), "_high": benefit + pl.col("above")}
    return sums.select(
        *by,
        "currency",
        *_COUNTS,
        *_KINDS,
        *(ends[end].round(2).alias(f"benefit{end}") for end in ("_low", "_high")),
        *_BESIDE,
        *_COSTS,
        *((value - cost).round(2).alias(f"net{end}") for end, value in ends.items()),
        *(pl.when(cost > 0).then((value / cost).round(2)).alias(f"ratio{end}") for end, value in ends.items()),
    )


def _since(rows: pl.DataFrame, first: datetime | None) -> pl.DataFrame:
    return rows if first is None else rows.filter(pl.col("month") >= first)


def _by_issue(issues: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the issues with their types, and those of the running cost under a type of its own."""
    columns = ["issue_type", "currency", *_COUNTS, *_KINDS, "benefit_low", "benefit_high", *_BESIDE, *_COSTS]
    own = issues.with_columns(
        issues=pl.lit(1, pl.Int64),
        issues_with_intervention=pl.col("has_intervention").cast(pl.Int64),
        cost_running=pl.lit(0.0),
    )
    nothing = [pl.lit(0, pl.Int64).alias(name) for name in _COUNTS]
    no_money = [
        pl.lit(0.0).alias(name)
        for name in (*_KINDS, "benefit_low", "benefit_high", *_BESIDE, "cost_engineering", "cost_wrong_acts")
    ]
    running = rows.filter(pl.col("cost_running") > 0).with_columns(
        *nothing, *no_money, pl.col("cost_running").alias("cost"), issue_type=pl.lit(RUNNING)
    )
    return pl.concat([own.select(columns), running.select(columns)])

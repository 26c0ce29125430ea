"""The page for product managers: what a quarter's feedback says of each issue type and feature, ranked with reasons."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from dagster_project.decisioning.published import read_mart
from dagster_project.measurement.pages import figures
from dagster_project.measurement.pages.facts import Marts, Rows
from dagster_project.measurement.pages.quarters import Quarter
from dagster_project.measurement.pages.site import Column, Site, Table, count

_COLUMNS = (
    *("product", "issue_type", "feature", "channel", "person_key", "customer_segment", "counted_at"),
    "is_counted",
)
_SUPPORT = ("support_ticket", "chat")
_SLOPE_WEEKS = 4
_SHOWN = 12
ADVICE = ("patch now", "next train", "watch")


def write(site: Site, marts: Marts, quarter: Quarter, name: str, links: dict[str, str]) -> Path:
    """Write the page of a quarter under a name."""
    said = _complaints(site, quarter)
    segments = sorted({row["segment"] for row in said.select("segment").unique().to_dicts()})
    ranked = _ranked(_by(said, segments, ["product", "issue_type"]), said, marts, quarter)
    evidence = Table(f"{quarter.name}-evidence", _EVIDENCE, ranked, empty="No complaints were counted.")
    by_segment = Table(f"{quarter.name}-customers-by-segment", _segment_columns(segments), ranked)
    features = _by(said, segments, ["product", "issue_type", "feature"])
    by_feature = Table(f"{quarter.name}-evidence-by-feature", _FEATURES, features)
    return site.page(
        name,
        "product.html.j2",
        quarter=quarter,
        quarters=marts.quarters,
        links=links,
        currency=marts.currency,
        evidence=site.table(evidence),
        by_segment=site.table(by_segment),
        by_feature=site.table(by_feature),
        chart=_chart(evidence, quarter) if ranked else None,
    )


def _complaints(site: Site, quarter: Quarter) -> pl.DataFrame:
    """The complaints that were counted in a quarter, about what somebody can act on."""
    actionable = read_mart(site.home, "taxonomy", ["issue_type"], where={"actionable": True})["issue_type"].to_list()
    where = {"is_counted": True, "issue_type": actionable}
    rows = read_mart(site.home, "fct_feedback", _COLUMNS, where=where)
    begins = pl.date(quarter.year, 3 * quarter.number - 2, 1)
    in_quarter = pl.col("counted_at").is_between(begins, begins.dt.offset_by("3mo"), closed="left")
    named = [
        pl.col("feature").fill_null("(none named)"),
        pl.col("customer_segment").fill_null("unknown").alias("segment"),
    ]
    return rows.filter(in_quarter).with_columns(*named)


def _by(said: pl.DataFrame, segments: list[str], keys: list[str]) -> Rows:
    """Complaints by some keys: how many, of how many customers in each segment, and by support.

    A customer counts once, in the segment of the latest complaint, so that the segments add up to the customers.
    """
    people = (
        said.sort("counted_at", "segment")
        .group_by(*keys, "person_key", maintain_order=True)
        .agg(pl.col("segment").last())
        .group_by(keys)
        .agg(
            customers=pl.len(),
            **{f"segment_{one}": (pl.col("segment") == one).sum() for one in segments},
        )
    )
    counts = said.group_by(keys).agg(complaints=pl.len(), support=pl.col("channel").is_in(_SUPPORT).sum())
    joined = counts.join(people, on=keys, how="left", nulls_equal=True)
    shares = joined.with_columns(support_share=pl.col("support") / pl.col("complaints"))
    return shares.sort(["complaints", *keys], descending=[True, *[False] * len(keys)]).to_dicts()


def _slopes(said: pl.DataFrame) -> dict[tuple[str, str], float]:
    """Change of the complaints a week, from one week to the next, over the last four weeks (least squares)."""
    latest = said["counted_at"].max()
    if latest is None:
        return {}
    week = ((pl.lit(latest) - pl.col("counted_at")) / timedelta(days=7)).floor().cast(pl.Int64)
    counts = (
        said.with_columns(week=week)
        .filter(pl.col("week") < _SLOPE_WEEKS)
        .group_by("product", "issue_type", "week")
        .len()
    )
    middle = (_SLOPE_WEEKS - 1) / 2
    spread = sum((one - middle) ** 2 for one in range(_SLOPE_WEEKS))
    slopes: dict[tuple[str, str], float] = {}
    for product, issue_type, back, complaints in counts.iter_rows():
        key = product, issue_type
        slopes[key] = slopes.get(key, 0.0) + (middle - back) * complaints / spread
    return slopes


def _ranked(rows: Rows, said: pl.DataFrame, marts: Marts, quarter: Quarter) -> Rows:
    """The rows with what the quarter's issues cost, and what to do; the most urgent first."""
    slopes, ranked = _slopes(said), []
    for row in rows:
        key = row["product"], row["issue_type"]
        issues = [one for one in marts.issues_of(quarter) if (one["product"], one["issue_type"]) == key]
        more = {
            "issues": len(issues),
            "recurrences": max((one["recurrences"] for one in issues), default=0),
            "lost_conversion": sum(one["lost_conversion_value"] or 0.0 for one in issues),
            "revenue_at_risk": sum(one["revenue_at_risk"] for one in issues),
            "slope": round(slopes.get(key, 0.0), 2),
        }
        advice, reason = _advice(issues, more)
        ranked.append({**row, **more, "advice": advice, "reason": reason})
    return sorted(
        ranked,
        key=lambda row: (ADVICE.index(row["advice"]), -row["revenue_at_risk"], -row["complaints"], row["issue_type"]),
    )


def _advice(issues: Rows, more: dict[str, Any]) -> tuple[str, str]:
    """When to act, and the reason."""
    still = [one for one in issues if one["status"] == "open"]
    if still:
        first = min(still, key=lambda one: (one["priority"], one["issue_id"]))
        cause = f", suspect {first['suspect_version']}" if first["suspect_version"] else ""
        return "patch now" if first["priority"] in ("P1", "P2") else "next train", f"open {first['priority']}{cause}"
    if more["recurrences"]:
        return "next train", f"came back {more['recurrences']} times in 180 days"
    if issues:
        return "watch", "an issue of this quarter is over"
    return ("watch", "complaints rise") if more["slope"] >= 1 else ("watch", "no issue")


_KEYS = [Column("issue_type", "issue type", "code"), Column("product", "product")]
_COUNTED = [
    Column("complaints", "complaints", "count", is_summed=True),
    Column("customers", "customers", "count"),
    Column("support_share", "by support", "share"),
]
_EVIDENCE = [
    *_KEYS,
    Column("advice", "when"),
    Column("reason", "why"),
    *_COUNTED,
    Column("slope", "change a week", "rate"),
    Column("issues", "issues", "count", is_summed=True),
    Column("recurrences", "came back", "count"),
    Column("lost_conversion", "lost conversion", "amount", is_summed=True),
    Column("revenue_at_risk", "revenue at risk", "amount", is_summed=True),
]
_FEATURES = [Column("feature", "feature"), *_KEYS, *_COUNTED]


def _segment_columns(segments: list[str]) -> list[Column]:
    """Customers of each issue type by segment; who complained about several types is counted in each."""
    counts = [Column(f"segment_{one}", one, "count") for one in segments]
    return [*_KEYS, Column("customers", "customers", "count"), *counts]


def _chart(evidence: Table, quarter: Quarter) -> figures.Chart:
    rows = sorted(evidence.rows, key=lambda row: -row["complaints"])[:_SHOWN]
    bars = [(row["issue_type"].replace("_", " "), float(row["complaints"]), None, None) for row in rows]
    said = ", ".join(f"{label} {count(value)}" for label, value, *_ in bars)
    text = f"Complaints in {quarter.title} by issue type: {said}."
    return figures.intervals(evidence.name, bars, text, "complaints")

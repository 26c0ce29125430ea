"""The page for product managers: the roadmap evidence, and what a quarter's feedback says of each type and feature."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dagster_project.decisioning.published import read_mart
from dagster_project.measurement.pages import figures
from dagster_project.measurement.pages.facts import Marts, Rows
from dagster_project.measurement.pages.quarters import Quarter
from dagster_project.measurement.pages.site import Column, Site, Table, count
from dagster_project.measurement.roadmap import as_table, read_roadmap

_COLUMNS = (
    *("product", "issue_type", "feature", "channel", "person_key", "customer_segment", "counted_at"),
    "is_counted",
)
_SUPPORT = ("support_ticket", "chat")
_SHOWN = 12


def write(site: Site, marts: Marts, quarter: Quarter, name: str, links: dict[str, str]) -> Path:
    """Write the page of a quarter under a name."""
    said = _complaints(site, quarter)
    segments = sorted({row["segment"] for row in said.select("segment").unique().to_dicts()})
    ranked = _with_issues(_by(said, segments, ["product", "issue_type"]), marts, quarter)
    evidence = Table(f"{quarter.name}-evidence", _EVIDENCE, ranked, empty="No complaints were counted.")
    by_segment = Table(f"{quarter.name}-customers-by-segment", _segment_columns(segments), ranked)
    features = _by(said, segments, ["product", "issue_type", "feature"])
    by_feature = Table(f"{quarter.name}-evidence-by-feature", _FEATURES, features)
    is_newest = quarter == marts.quarters[0]
    return site.page(
        name,
        "product.html.j2",
        quarter=quarter,
        quarters=marts.quarters,
        links=links,
        currency=marts.currency,
        roadmap=[site.table(one) for one in (*_roadmap(site), _roadmap_issues(site))] if is_newest else None,
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


def _with_issues(rows: Rows, marts: Marts, quarter: Quarter) -> Rows:
    """The rows with the issues of the quarter and what they cost; what costs most first."""
    found = []
    for row in rows:
        key = row["product"], row["issue_type"]
        issues = [one for one in marts.issues_of(quarter) if (one["product"], one["issue_type"]) == key]
        more = {
            "issues": len(issues),
            "recurrences": max((one["recurrences"] for one in issues), default=0),
            "lost_conversion": sum(one["lost_conversion_value"] or 0.0 for one in issues),
            "revenue_at_risk": sum(one["revenue_at_risk"] for one in issues),
        }
        found.append({**row, **more})
    return sorted(
        found, key=lambda row: (-row["revenue_at_risk"], -row["complaints"], row["product"], row["issue_type"])
    )


def _roadmap(site: Site) -> list[Table]:
    """The roadmap, what else it rests on, and its customers by segment; three tables, as a screen is not so wide."""
    flat = as_table(read_roadmap(site.home))
    segments = [name for name in flat.columns if name.startswith("customers_")]
    by_segment = [Column(name, name.removeprefix("customers_"), "count") for name in segments]
    parts = {
        "roadmap": _ROADMAP,
        "roadmap-measures": _MEASURES,
        "roadmap-customers": [*_RANKED, _CUSTOMERS, *by_segment],
    }
    return [Table(name, columns, flat.to_dicts(), empty=_NOTHING_TO_PLAN) for name, columns in parts.items()]


def _roadmap_issues(site: Site) -> Table:
    rows = read_mart(site.home, "fct_roadmap_issues", where={"is_now": True})
    ordered = rows.sort("product", "issue_type", "feature", "issue_id").to_dicts()
    return Table("roadmap-issues", _ROADMAP_ISSUES, ordered, empty="No issue lasted in the last four weeks.")


_CUSTOMERS = Column("customers", "customers", "count")
_KEYS = [Column("issue_type", "issue type", "code"), Column("product", "product")]
_COUNTED = [
    Column("complaints", "complaints", "count", is_summed=True),
    _CUSTOMERS,
    Column("support_share", "by support", "share"),
]
_EVIDENCE = [
    *_KEYS,
    *_COUNTED,
    Column("issues", "issues", "count", is_summed=True),
    Column("recurrences", "came back", "count"),
    Column("lost_conversion", "lost conversion", "amount", is_summed=True),
    Column("revenue_at_risk", "revenue at risk", "amount", is_summed=True),
]
_NOTHING_TO_PLAN = "No complaint counts in the last four weeks."
_FEATURE = [*_KEYS, Column("feature", "feature")]
_RANKED = [Column("roadmap_rank", "rank", "count"), *_FEATURE]
_COST = Column("lost_value", "cost in the window", "amount", is_summed=True)
_CONVERSION = Column("lost_conversion_value", "of it lost conversion", "amount", is_summed=True)
_ROADMAP = [
    *_RANKED,
    Column("recommendation", "when", "code"),
    Column("reason", "why", "code"),
    Column("complaints", "complaints", "count", is_summed=True),
    Column("complaints_slope", "change a week", "rate"),
    _CUSTOMERS,
    _COST,
]
_MEASURES = [
    *_RANKED,
    Column("complaints_before", "complaints before", "count", is_summed=True),
    Column("trend", "beyond chance"),
    Column("support_share", "by support", "share"),
    Column("mention_share", "of all mentions", "share"),
    Column("episodes", "in 180 days", "count"),
    Column("fixes_out", "fixes out", "count"),
    _CONVERSION,
]
_ROADMAP_ISSUES = [
    *_FEATURE,
    Column("issue_id", "issue", "issue"),
    Column("priority", "priority"),
    Column("status", "status"),
    Column("complaints", "complaints of the issue", "count", is_summed=True),
    _COST,
    _CONVERSION,
]
_FEATURES = [Column("feature", "feature"), *_KEYS, *_COUNTED]


def _segment_columns(segments: list[str]) -> list[Column]:
    """Customers of each issue type by segment; who complained about several types is counted in each."""
    counts = [Column(f"segment_{one}", one, "count") for one in segments]
    return [*_KEYS, _CUSTOMERS, *counts]


def _chart(evidence: Table, quarter: Quarter) -> figures.Chart:
    rows = sorted(evidence.rows, key=lambda row: -row["complaints"])[:_SHOWN]
    bars = [(row["issue_type"].replace("_", " "), float(row["complaints"]), None, None) for row in rows]
    said = ", ".join(f"{label} {count(value)}" for label, value, *_ in bars)
    text = f"Complaints in {quarter.title} by issue type: {said}."
    return figures.intervals(evidence.name, bars, text, "complaints")

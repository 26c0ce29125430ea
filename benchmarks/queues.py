"""Queues to push, drawn: issues as the mart ``out_tickets`` holds them, published without a build.

All issues read alike, as those of a storm do; each has an owner of its own, so that the cap on new tickets per owner
and hour holds none of them back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import duckdb
import polars as pl

from dagster_project.automation.tickets.issues import Issue
from dagster_project.home import Home

_TERMS = [
    {"term": name, "weight": 20.0, "points": 11.5, "why": f"how far {name} is from what is usual, in doublings"}
    for name in ("velocity", "volume", "technical", "revenue", "journey")
]
_EVIDENCE = [
    {"kind": "feedback", "statement": "184 complaints, at the peak 11.3 times what was expected."},
    {"kind": "technical", "statement": "Error rate 6.1 % since the onset, 0.8 % before."},
    {"kind": "business", "statement": "Conversion of this step 61.2 % since the onset, 84.0 % before."},
    {
        "kind": "change",
        "statement": "shop-app@5.2.0 went out 08:10; 139 of 184 complaints name it. Confidence 91 %: regression.",
    },
]
_QUOTES = [
    {"text": "Cart just spins, then something went wrong. Third try today!", "channel": "app_review", "rating": 1},
    {"text": "Order page says failed but the money is gone", "channel": "support_ticket", "country": "DE"},
]


def issues(count: int, *, detected_at: datetime, resolved: Sequence[bool] = ()) -> pl.DataFrame:
    """The rows of so many issues; ``resolved`` says which are over (by default none)."""
    over = pl.Series(resolved or [False] * count, dtype=pl.Boolean)
    names = pl.DataFrame({"number": range(count), "over": over})
    same = {
        "product": "shop-app",
        "issue_type": "checkout_failure",
        "issue_title": "Checkout failing",
        "scope_platform": "android",
        "scope_version": "5.2.0",
        "scope_country": None,
        "scope_feature": None,
        "priority": "P2",
        "severity_score": 61.4,
        "verdict": "regression",
        "suspect_release_id": "shop-app@5.2.0",
        "suspect_version": "5.2.0",
        "release_confidence": 0.91,
        "started_at": detected_at - timedelta(hours=3),
        "detected_at": detected_at,
        "feedback_count": 184,
        "customers_affected": 171,
        "revenue_at_risk": 12430.4,
        "signals": 4,
        "recommended_action": "Halt the rollout of the suspect release and reproduce the checkout on it.",
        "summary": "Checkout failing on android version 5.2.0: 184 complaints since this morning.",
        "severity_terms": json.dumps(_TERMS),
        "evidence": json.dumps(_EVIDENCE),
        "quotes": json.dumps(_QUOTES),
        "accountable": "head-of-commerce",
        "consulted": "payments-team",
        "informed": "customer-care",
    }
    own = {
        "issue_id": pl.format("ISS-{}", "number"),
        "owner": pl.format("squad-{}", "number"),
        "status": pl.when("over").then(pl.lit("resolved")).otherwise(pl.lit("open")),
        "resolved_at": pl.when("over").then(pl.lit(detected_at + timedelta(days=2))),
    }
    every = {**{name: pl.lit(value) for name, value in same.items()}, **own}
    return names.select(**{name: every[name] for name in Issue.__dataclass_fields__})


def publish(home: Home, rows: pl.DataFrame) -> None:
    """Make these rows the published queue."""
    home.published.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(home.published)) as connection:
        connection.register("rows", rows.to_arrow())
        connection.execute("create or replace table out_tickets as select * from rows")

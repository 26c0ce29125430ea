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
_RELEASE = {"kind": "change", "subject": "shop-app@5.2.0", "subject_title": "Android 5.2.0"}
_EVIDENCE = [
    {"kind": "feedback", "measure": "complaints", "stance": "for", "value": 11.3, "counted": 184},
    {"kind": "technical", "measure": "error_rate", "stance": "for", "value": 0.061, "baseline": 0.008},
    {"kind": "business", "measure": "conversion", "stance": "for", "value": 0.612, "baseline": 0.84},
    {**_RELEASE, "measure": "hours_to_onset", "stance": "for", "value": 0.8, "share": 0.91},
    {**_RELEASE, "measure": "version_named", "stance": "for", "counted": 139, "total": 146},
]
_SYMPTOMS = [{"symptom": "order button dead", "complaints": 44}, {"symptom": "cart emptied", "complaints": 12}]
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
        "recommended_action": "Reproduce the checkout on the suspect release, and prepare the rollback for approval.",
        "summary": "Checkout failing on Android 5.2.0: 184 complaints since this morning.",
        "suspect_kind": "release",
        "suspect_platform": "Android",
        "suspect_rollout_percent": 100.0,
        "suspect_changed_at": detected_at - timedelta(hours=4),
        "rollback_supported": True,
        "platform_title": "Android",
        "direction": "rising",
        "latest_day": detected_at - timedelta(days=1),
        "complaints_latest_day": 104,
        "complaints_day_before": 71,
        "usual_per_day": 3.2,
        "currency": "EUR",
        "currencies": 1,
        "orders_lost": 131.4,
        "lost_orders_value": 10_220.4,
        "conversion_during": 0.612,
        "conversion_before": 0.84,
        "refund_value": 0.0,
        "churn_value": 2_210.0,
        "symptoms": json.dumps(_SYMPTOMS),
        "links": "[]",
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
    every |= {name: pl.lit(None) for name in Issue.__dataclass_fields__ if name not in every}
    return names.select(**{name: every[name] for name in Issue.__dataclass_fields__})


def publish(home: Home, rows: pl.DataFrame) -> None:
    """Make these rows the published queue."""
    home.published.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(home.published)) as connection:
        connection.register("rows", rows.to_arrow())
        connection.execute("create or replace table out_tickets as select * from rows")

"""A published copy with the marts that ROI reads, made by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from dagster_project.home import Home

MARCH, APRIL = datetime(2026, 3, 1), datetime(2026, 4, 1)

_NOTHING: dict[str, Any] = {
    "wrong_acts": 0,
    "effects_without_price": 0,
    "benefit_revenue": 0.0,
    "benefit_refunds": 0.0,
    "benefit_support": 0.0,
    "benefit_customers": 0.0,
    "not_attributed_value": 0.0,
    "worsened_value": 0.0,
    "cost_wrong_acts": 0.0,
}


def issue(
    issue_id: str, product: str, month: datetime, benefit: float, low: float, high: float, **more: Any
) -> dict[str, Any]:
    """A row of ``fct_issue_roi``: revenue kept, and a ticket of 320."""
    own: dict[str, Any] = (
        {"issue_id": issue_id, "product": product, "issue_type": "app_crash", "month": month} | _NOTHING | more
    )
    own |= {"release_cohort": more.get("release_cohort", "none"), "season": f"2026-Q{(month.month + 2) // 3}"}
    own |= {"currency": "EUR", "has_intervention": benefit > 0, "tickets": 1, "benefit_revenue": benefit}
    own |= {"benefit": benefit, "benefit_low": low, "benefit_high": high, "benefit_frozen": 2 * benefit}
    return own | {"cost_engineering": 320.0, "cost": 320.0 + own["cost_wrong_acts"], "net": benefit - 320.0}


def row(own: dict[str, Any], *, issues: int = 1, running: float = 0.0) -> dict[str, Any]:
    """A row of ``fct_roi`` of one issue, or of none."""
    kept = {name: value for name, value in own.items() if name not in ("issue_id", "issue_type", "has_intervention")}
    kept |= {"issues": issues, "issues_with_intervention": int(own["has_intervention"]), "cost_running": running}
    return kept | {"cost": own["cost"] + running}


def running(product: str, month: datetime, cost: float) -> dict[str, Any]:
    """A row of ``fct_roi`` that holds the running cost alone."""
    nothing = issue("", product, month, 0.0, 0.0, 0.0) | {"tickets": 0, "cost_engineering": 0.0, "cost": 0.0}
    return row(nothing, issues=0, running=cost)


def publish(home: Home, issues: list[dict[str, Any]], further: list[dict[str, Any]]) -> Home:
    """Publish issues, each of a cohort and month of its own, and further rows of ``fct_roi``."""
    home.published.parent.mkdir(parents=True, exist_ok=True)
    tables = {
        "fct_issue_roi": pl.DataFrame(issues or [issue("", "", MARCH, 0.0, 0.0, 0.0)], infer_schema_length=None).head(
            len(issues)
        ),
        "fct_roi": pl.DataFrame(
            [row(own) for own in issues] + further or [running("", MARCH, 0.0)], infer_schema_length=None
        ).head(len(issues) + len(further)),
        "fct_issue_outcomes": pl.DataFrame(
            {
                "issue_id": [own["issue_id"] for own in issues] * 2,
                "comparator": ["untreated"] * len(issues) + ["frozen"] * len(issues),
                "answer": ["fewer" if own["benefit"] > 0 else "too_few_placebos" for own in issues] * 2,
            },
            schema=dict.fromkeys(("issue_id", "comparator", "answer"), pl.String()),
        ),
        "fct_adoption": pl.DataFrame(
            [
                {
                    "product": "shop",
                    "measure": "negative_review_share",
                    "adopted_at": MARCH,
                    "rate_before": 0.25,
                    "rate_after": 0.125,
                    "effect": -0.4,
                    "effect_low": -0.6,
                    "effect_high": -0.1,
                    "placebos": 24,
                    "answer": "fewer",
                }
            ]
        ),
        "fct_dora": pl.DataFrame(
            [
                {
                    "product": "shop",
                    "month": MARCH,
                    "deployments": 3,
                    "change_fail_rate": 2 / 3,
                    "recovery_minutes": 90.0,
                    "change_fail_rate_by_last": 1 / 3,
                    "recovery_minutes_by_last": None,
                }
            ],
            schema_overrides={"recovery_minutes_by_last": pl.Float64()},
        ),
        "dim_costs": pl.DataFrame(
            [
                {
                    "cost_currency": "EUR",
                    "cost_support_contact": 6.0,
                    "cost_engineer_hour": 80.0,
                    "cost_hours_per_ticket": 4.0,
                    "cost_running_month": 500.0,
                    "cost_wrong_act": 400.0,
                }
            ]
        ),
        "roi_claims": pl.DataFrame(
            [{"name": "Seed case", "source": "seed case", "negative_review_reduction": 0.4, "roi_ratio": 3.5}]
        ),
    }
    with duckdb.connect(str(home.published)) as connection:
        for name, frame in tables.items():
            connection.register("frame", frame)
            connection.execute(f"create table {name} as select * from frame")
            connection.unregister("frame")
    return home

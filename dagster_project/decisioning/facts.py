"""Facts of an issue: the typed columns and rows of its marts, from which every text about it is worded.

Numbers cross from dbt to Python as columns (``fct_issues``, ``fct_issue_facts``) and rows (``fct_issue_evidence``),
each with its stance. Sentences in the marts are for readers of the marts: nothing parses one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from dagster_project.decisioning.published import read_mart
from dagster_project.errors import DecisionError
from dagster_project.home import Home

Status = Literal["open", "resolved"]
Verdict = Literal["regression", "no_regression", "inconclusive", "insufficient_data"]
Stance = Literal["for", "against", "neutral"]
Direction = Literal["new", "rising", "falling", "steady", "quiet"]


class Row(BaseModel):
    """A row of a JSON column; further keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Evidence(Row):
    """A row of ``fct_issue_evidence``: a measure, its numbers, and its stance on the subject as the cause."""

    kind: str
    measure: str
    stance: Stance
    subject: str | None = None
    subject_title: str | None = None
    value: float | None = None
    baseline: float | None = None
    share: float | None = None
    counted: int | None = None
    total: int | None = None
    happened_at: datetime | None = None
    sentence: str | None = None


class Symptom(Row):
    """A symptom that customers describe, with its complaints; ``is_phrase`` marks words of their own."""

    symptom: str
    complaints: int
    is_phrase: bool = False


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One issue, as columns of ``fct_issues`` and ``fct_issue_facts`` and rows of ``fct_issue_evidence``."""

    issue_id: str
    product: str
    issue_type: str
    issue_title: str
    scope_platform: str | None
    scope_version: str | None
    scope_country: str | None
    scope_feature: str | None
    status: Status
    priority: str
    severity_score: float
    verdict: Verdict
    suspect_release_id: str | None
    suspect_version: str | None
    release_confidence: float | None
    started_at: datetime
    detected_at: datetime
    resolved_at: datetime | None
    feedback_count: int
    customers_affected: int
    revenue_at_risk: float | None
    owner: str
    recommended_action: str
    suspect_kind: str | None = None
    suspect_platform: str | None = None
    suspect_service: str | None = None
    suspect_previous_version: str | None = None
    suspect_url: str | None = None
    suspect_flag: str | None = None
    suspect_flag_enabled: bool | None = None
    suspect_rollout_percent: float | None = None
    suspect_changed_at: datetime | None = None
    rollback_supported: bool = False
    confidence_weighed: int | None = None
    confidence_to_blame: int | None = None
    platform_title: str | None = None
    direction: Direction = "new"
    latest_day: datetime | None = None
    complaints_latest_day: int | None = None
    complaints_day_before: int | None = None
    complaints_since: int | None = None
    usual_per_day: float | None = None
    currency: str | None = None
    currencies: int = 0
    orders_lost: float | None = None
    lost_orders_value: float | None = None
    conversion_during: float | None = None
    conversion_before: float | None = None
    refund_value: float = 0.0
    churn_value: float = 0.0
    symptoms: tuple[Symptom, ...] = ()
    evidence: tuple[Evidence, ...] = ()


_FACTS = TypeAdapter(Facts)


def read_facts(home: Home, issue_id: str | None = None) -> dict[str, Facts]:
    """The facts of one issue, or of every issue in the order in which to act, by issue id.

    Raises:
        ConfigurationError: nothing has been published yet.
        DecisionError: a row is not what the marts promise.
    """
    where = {"issue_id": issue_id} if issue_id else None
    items: dict[str, list[dict[str, Any]]] = {}
    for row in read_mart(home, "fct_issue_evidence", where=where).sort("issue_id", "position").iter_rows(named=True):
        items.setdefault(row["issue_id"], []).append({name: in_utc(value) for name, value in row.items()})
    issues = read_mart(home, "fct_issues", where=where).join(
        read_mart(home, "fct_issue_facts", where=where), on="issue_id"
    )
    order = ["queue_position", "detected_at", "issue_id"]
    facts = {}
    for row in issues.sort(order, descending=[False, True, False], nulls_last=True).iter_rows(named=True):
        known = {field.name: in_utc(row[field.name]) for field in fields(Facts) if field.name in row}
        known["symptoms"] = json.loads(row["symptoms"])
        facts[row["issue_id"]] = _facts({**known, "evidence": items.get(row["issue_id"], [])})
    return facts


def in_utc(value: object) -> object:
    """Instants of the warehouse are UTC, with or without saying so; other values as they are."""
    if not isinstance(value, datetime):
        return value
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _facts(known: Mapping[str, object]) -> Facts:
    try:
        return _FACTS.validate_python(known)
    except (ValidationError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise DecisionError(f"fct_issue_facts, issue {known['issue_id']}: {reason}; `feedback-control run`") from None

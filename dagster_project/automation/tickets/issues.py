"""What the queue wants: the rows of ``out_tickets`` in the published warehouse, as typed issues."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from dagster_project.automation.ledger.intents import Grounds
from dagster_project.automation.ticket import Status
from dagster_project.decisioning.published import read_mart
from dagster_project.errors import DecisionError
from dagster_project.home import Home

Verdict = Literal["regression", "no_regression", "inconclusive", "insufficient_data"]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class SeverityTerm(_Row):
    """One term of the severity: points out of its weight, and what it measures."""

    term: str
    weight: float
    points: float
    why: str


class Evidence(_Row):
    """One sentence of evidence and the kind of signal it comes from."""

    kind: str
    statement: str


class Quote(_Row):
    """One thing a customer said, already masked."""

    text: str
    channel: str
    occurred_at: str | None = None
    rating: float | None = None
    country: str | None = None
    app_version: str | None = None


@dataclass(frozen=True)
class Issue:
    """One row of ``out_tickets``: an issue that deserves a ticket."""

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
    signals: int
    owner: str
    recommended_action: str
    summary: str
    severity_terms: tuple[SeverityTerm, ...]
    evidence: tuple[Evidence, ...]
    quotes: tuple[Quote, ...]
    accountable: str | None = None
    consulted: str | None = None
    informed: str | None = None

    @property
    def grounds(self) -> Grounds:
        """Why anything is done about it, for the audit log."""
        kinds = "1 signal" if self.signals == 1 else f"{self.signals} signals"
        return Grounds(f"{self.priority}, {self.verdict}, {kinds}", self.release_confidence)


_COLUMNS = tuple(Issue.__dataclass_fields__)
_JSON = ("severity_terms", "evidence", "quotes")
_ISSUE = TypeAdapter(Issue)


def read_queue(home: Home, also: Collection[str] = ()) -> list[Issue]:
    """The open issues that deserve a ticket, most urgent first, and the resolved ones named in ``also``.

    Raises:
        ConfigurationError: nothing has been published yet.
        DecisionError: a row of ``out_tickets`` is not what the mart promises.
    """
    rows = read_mart(home, "out_tickets", _COLUMNS)
    chosen = rows.filter((pl.col("status") == "open") | pl.col("issue_id").is_in(sorted(also)))
    order = chosen.sort("priority", "severity_score", "issue_id", descending=[False, True, False], nulls_last=True)
    return [_issue(row) for row in order.iter_rows(named=True)]


def _issue(row: dict[str, Any]) -> Issue:
    try:
        parsed = {name: json.loads(value) if name in _JSON else _utc(value) for name, value in row.items()}
        return _ISSUE.validate_python(parsed)
    except (ValidationError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise DecisionError(
            f"out_tickets, issue {row.get('issue_id')}: {reason}; rebuild with `feedback-control run`"
        ) from None


def _utc(value: object) -> object:
    """Instants of the warehouse are UTC, with or without saying so."""
    if not isinstance(value, datetime):
        return value
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)

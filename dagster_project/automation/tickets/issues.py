"""Queue of issues: the rows of ``out_tickets`` in the published warehouse, as typed issues."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any

import polars as pl
from pydantic import TypeAdapter, ValidationError

from dagster_project.automation.ledger.intents import Grounds
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.decisioning.facts import Facts, Row, in_utc
from dagster_project.decisioning.published import read_mart
from dagster_project.errors import DecisionError
from dagster_project.home import Home


class SeverityTerm(Row):
    """One term of the severity: points out of its weight, and what it measures."""

    term: str
    weight: float
    points: float
    why: str


class Quote(Row):
    """Masked quote of a customer, with the symptom that it describes."""

    text: str
    channel: str
    occurred_at: str | None = None
    rating: float | None = None
    country: str | None = None
    app_version: str | None = None
    symptom: str | None = None
    is_in_scope: bool = True


class Link(Row):
    """A link of the playbook; its URL is a template (``decisioning.links``)."""

    name: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Issue(Facts):
    """One row of ``out_tickets``: an issue that deserves a ticket."""

    signals: int
    summary: str
    severity_terms: tuple[SeverityTerm, ...]
    quotes: tuple[Quote, ...]
    links: tuple[Link, ...] = ()
    accountable: str | None = None
    consulted: str | None = None
    informed: str | None = None

    @property
    def grounds(self) -> Grounds:
        """The reason for acting, for the audit log."""
        kinds = "1 signal" if self.signals == 1 else f"{self.signals} signals"
        return Grounds(f"{self.priority}, {self.verdict}, {kinds}", self.release_confidence)


_COLUMNS = tuple(field.name for field in fields(Issue))
JSON_COLUMNS = ("severity_terms", "evidence", "quotes", "symptoms", "links")
"""Columns of ``out_tickets`` that hold a JSON array of rows."""
_ISSUE = TypeAdapter(Issue)


def read_queue(
    home: Home, also: Collection[str] = (), *, resolved: bool = False, problems: list[str] | None = None
) -> list[Issue]:
    """The open issues that deserve a ticket, most urgent first, and the resolved ones named in ``also``.

    Args:
        home: the installation whose published queue is read.
        also: issues to read even if they are over.
        resolved: read every issue that is over.
        problems: takes the rows that are not what the mart promises, and the others are read; without it they raise.

    Raises:
        ConfigurationError: nothing has been published yet.
        DecisionError: a row of ``out_tickets`` is not what the mart promises.
    """
    rows = read_mart(home, "out_tickets", _COLUMNS)
    wanted = (pl.col("status") == "open") | pl.col("issue_id").is_in(sorted(also)) | pl.lit(resolved)
    chosen = rows.filter(wanted)
    order = chosen.sort("priority", "severity_score", "issue_id", descending=[False, True, False], nulls_last=True)
    found = []
    for row in order.iter_rows(named=True):
        try:
            found.append(_issue(row))
        except DecisionError as error:
            if problems is None:
                raise
            problems.append(str(error))
    return found


def queue_digest(home: Home) -> str:
    """Hash of the queue as last published, to see if it has changed; empty if nothing was."""
    rows = home.outbound / "out_tickets.jsonl"
    return hashlib.sha256(rows.read_bytes()).hexdigest() if rows.exists() else ""


def work_digest(home: Home, ledger: Ledger) -> str:
    """Hash of all that tickets tell: the queue, and what became of plans; empty if no queue was published."""
    queue, newest = queue_digest(home), ledger.proposals.newest_event()
    return f"{queue} {newest}" if queue and newest else queue


def _issue(row: dict[str, Any]) -> Issue:
    try:
        parsed = {name: json.loads(value) if name in JSON_COLUMNS else in_utc(value) for name, value in row.items()}
        return _ISSUE.validate_python(parsed)
    except (ValidationError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise DecisionError(
            f"out_tickets, issue {row.get('issue_id')}: {reason}; rebuild with `feedback-control run`"
        ) from None

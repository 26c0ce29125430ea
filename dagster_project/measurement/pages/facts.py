"""What the pages show: the published marts, read once, with each issue in its quarter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from dagster_project.decisioning import wording
from dagster_project.decisioning.facts import Facts, read_facts
from dagster_project.decisioning.published import read_mart
from dagster_project.home import Home
from dagster_project.measurement.pages.quarters import Quarter, quarters

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Marts:
    """The marts behind the pages; every list is in the order in which it is shown."""

    as_of: datetime | None
    issues: Rows
    """``fct_issues`` with ``fct_issue_lifecycle`` and ``fct_issue_roi``, the newest first."""
    interventions: Rows
    outcomes: Rows
    delays: Rows
    plans: Rows
    roi: Rows
    dora: Rows
    adoption: Rows
    claims: Rows
    """Published cases to put beside one's own (``roi_claims``)."""
    facts: dict[str, Facts]
    currency: str
    """Code of the currency of all amounts; empty where there are several, or none is known."""

    @property
    def quarters(self) -> list[Quarter]:
        """The quarters that have a page, newest first."""
        return quarters([row["month"] for row in (*self.issues, *self.roi)], self.as_of)

    def issues_of(self, quarter: Quarter) -> Rows:
        """The issues of a quarter: by the intervention that is measured, or without one by the instant of notice."""
        return [row for row in self.issues if Quarter.of(row["month"]) == quarter]

    def title(self, issue_id: str) -> str:
        """An issue's name, as on its ticket."""
        return wording.title(self.facts[issue_id]) if issue_id in self.facts else issue_id

    def of_issue(self, rows: Rows, issue_id: str) -> Rows:
        """The rows about an issue."""
        return [row for row in rows if row["issue_id"] == issue_id]


def read_marts(home: Home) -> Marts:
    """Read every mart that the pages show."""
    issues = read_mart(home, "fct_issues")
    for mart in ("fct_issue_lifecycle", "fct_issue_roi"):
        more = read_mart(home, mart)
        new = more.select("issue_id", *(name for name in more.columns if name not in issues.columns))
        issues = issues.join(new, on="issue_id", how="left", validate="1:1")
    currencies = issues["currency"].drop_nulls().unique().to_list()
    as_of = read_mart(home, "fct_issue_activity", ["tick"]).max().item()
    return Marts(
        as_of=as_of,
        issues=issues.sort("detected_at", "issue_id", descending=[True, False]).to_dicts(),
        interventions=_rows(home, "fct_interventions", "acted_at", "intervention_id"),
        outcomes=_rows(home, "fct_issue_outcomes", "issue_id", "measure", "comparator"),
        delays=_rows(home, "fct_issue_delay", "issue_id", "phase_number"),
        plans=[row for row in _rows(home, "fct_mitigations", "proposed_at", "plan_id") if row["plan_id"]],
        roi=_rows(home, "fct_roi", "product", "month", "release_cohort", "season"),
        dora=_rows(home, "fct_dora", "product", "month"),
        adoption=_rows(home, "fct_adoption", "product", "measure"),
        claims=_rows(home, "roi_claims", "name"),
        facts=dict(read_facts(home)),
        currency=currencies[0] if len(currencies) == 1 else "",
    )


def _rows(home: Home, mart: str, *order: str) -> Rows:
    return read_mart(home, mart).sort(*order, nulls_last=True).to_dicts()


def quantile(values: Sequence[float | None], share: float) -> float | None:
    """A quantile of the values that are there, linear between them; None without any."""
    return pl.Series([value for value in values if value is not None], dtype=pl.Float64).quantile(share, "linear")

"""Rejected issues as excluded days: their days stay out of baselines, as ``baseline_exclusions`` in the lake.

A rejected issue ("not a bug") is no incident. dbt cannot leave its days out itself, as issues come after baselines
there. One row is valid for one issue from ``known_at`` on; a later row of the same issue replaces it. The rows follow
from the lake's ticket events and the published issues, so the export is idempotent.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl

from dagster_project import lake
from dagster_project.automation.tickets.ticket_events import EVENTS
from dagster_project.decisioning.published import read_mart
from dagster_project.home import Home
from dagster_project.lake_tables import schema_of

EXCLUSIONS = "baseline_exclusions"
_COLUMNS = {
    **{name: name for name in ("issue_id", "product", "issue_type")},
    "platform": "scope_platform",
    "country": "scope_country",
    "excluded_from": "started_at",
    "excluded_until": "resolved_at",
}
"""Columns of the table, and where ``fct_issues`` has them."""


def export_exclusions(home: Home, now: datetime) -> int:
    """Bring the table in line with the rejected tickets; returns how many issues changed."""
    for table in (EVENTS, EXCLUSIONS):
        lake.ensure_table(home, table)
    verdicts = _verdicts(home)
    present = _present(home)
    if not home.published.exists() or not verdicts:
        return 0
    rows = []
    issues = read_mart(home, "fct_issues", list(_COLUMNS.values()), where={"issue_id": sorted(verdicts)})
    for issue in issues.select(**_COLUMNS).iter_rows(named=True):
        wanted = {name: _utc(value) for name, value in issue.items()} | {"excluded": verdicts[issue["issue_id"]]}
        before = present.get(issue["issue_id"])
        if wanted["excluded"] if before is None else wanted != before:
            rows.append({**wanted, "known_at": now})
    if rows:
        lake.append(home, EXCLUSIONS, pl.DataFrame(rows, schema=schema_of(EXCLUSIONS)))
    return len(rows)


def _verdicts(home: Home) -> dict[str, bool]:
    """Issues whose ticket's status was changed by others than us; True if the last change rejected it, by a person."""
    last = (
        lake.scan(home, EVENTS)
        .filter(pl.col("event") == "status")
        .sort("occurred_at", "known_at", "event_id")
        .group_by("issue_id", maintain_order=True)
        .last()
        .with_columns(rejected=pl.col("by_person") & (pl.col("resolution") == "rejected"))
        .select("issue_id", "rejected")
        .collect()
    )
    return dict(last.iter_rows())


def _present(home: Home) -> dict[str, dict[str, Any]]:
    columns = [name for name in schema_of(EXCLUSIONS) if name != "known_at"]
    newest = (
        lake.scan(home, EXCLUSIONS).sort("known_at").group_by("issue_id", maintain_order=True).last().select(columns)
    )
    return {row["issue_id"]: row for row in newest.collect().iter_rows(named=True)}


def _utc(value: object) -> object:
    """Instants of the warehouse are UTC, with or without saying so."""
    if not isinstance(value, datetime):
        return value
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)

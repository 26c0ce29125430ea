"""Replay (backtest): decide as of one instant after another, and report when each issue appears, changes and ends.

Each step sees only rows known by its instant, so the replay shows on what day an issue would have been detected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dagster_project.clock import check_clock, refuse_future
from dagster_project.clock_repair import repair_future
from dagster_project.decisioning.decide import decide
from dagster_project.decisioning.explain import queue
from dagster_project.enrichment.labeling import label_new
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home
from dagster_project.ingestion.landing import land
from dagster_project.ingestion.provenance import sources_of
from dagster_project.views import open_view


@dataclass(frozen=True)
class ReplayEvent:
    """Change of an issue at one step; ``kind`` is ``new``, ``judged`` (status or verdict changed) or ``over``."""

    as_of: datetime
    kind: str
    issue_id: str
    issue_type: str
    product: str
    priority: str
    verdict: str
    suspect_version: str | None
    scope_country: str | None
    feedback_count: int

    def line(self) -> str:
        """Format as one line for a terminal."""
        suspect = f" (suspect {self.suspect_version})" if self.suspect_version else ""
        where = f" in {self.scope_country}" if self.scope_country else ""
        return (
            f"{self.kind:<8} {self.issue_id} {self.priority} {self.issue_type}{where}:"
            f" {self.feedback_count} complaints, {self.verdict}{suspect}"
        )


@dataclass(frozen=True)
class ReplayStep:
    """One instant of the replay, with its events."""

    as_of: datetime
    events: list[ReplayEvent] = field(default_factory=list)


def replay(
    home: Home,
    *,
    sources: Path,
    start: datetime,
    end: datetime,
    step: timedelta,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[ReplayStep]:
    """Land and label the sources, then decide as of every instant from ``start`` to ``end``; yields each step.

    The decisions are made in the view as of ``end``: what the home has published stays, and nothing is sent.

    Raises:
        ConfigurationError: ``end`` lies before ``start``, or in the future; or the clock has jumped.
    """
    now = datetime.now(UTC)
    if end < start:
        raise ConfigurationError(f"--to {end:%Y-%m-%d} lies before --from {start:%Y-%m-%d}; swap them")
    if home.marked().kind != "replay":
        refuse_future(end, now)
    configured = sources_of(home, sources)
    check_clock(home, now)
    for line in repair_future(home, now):
        progress(line)
    land(home, configured, now=now, progress=progress)
    label_new(home, progress=progress)
    yield from steps(open_view(home, end), start, end, step, progress)


def steps(
    home: Home, start: datetime, end: datetime, step: timedelta, progress: Callable[[str], None]
) -> Iterator[ReplayStep]:
    """Decide as of each instant on a prepared lake; yields each step."""
    known: dict[str, tuple[str, str, str | None]] = {}
    as_of = start
    while as_of <= end:
        decide(home, as_of=as_of)
        rows = queue(home, include_resolved=True)
        events = [event for row in rows for event in _news(row, as_of, known, first=as_of == start)]
        progress(f"as of {as_of:%Y-%m-%d %H:%M}: {sum(row['status'] == 'open' for row in rows)} open issues")
        yield ReplayStep(as_of, events)
        as_of += step


def _news(
    row: dict[str, Any], as_of: datetime, known: dict[str, tuple[str, str, str | None]], *, first: bool
) -> Iterator[ReplayEvent]:
    state = (row["status"], row["verdict"], row["suspect_version"])
    before = known.get(row["issue_id"])
    known[row["issue_id"]] = state
    if before == state or (before is None and first and row["status"] == "resolved"):
        return
    kind = "new" if before is None else "over" if row["status"] == "resolved" else "judged"
    shared = (
        "issue_id",
        "issue_type",
        "product",
        "priority",
        "verdict",
        "suspect_version",
        "scope_country",
        "feedback_count",
    )
    yield ReplayEvent(as_of=as_of, kind=kind, **{name: row[name] for name in shared})

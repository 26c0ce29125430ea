"""One turn of the loop in plain Python: land, label, pull, decide, push, report.

For the command line and tests: it starts in a second and needs no Dagster instance. The Dagster assets call the same
functions, with two differences: they call ``decide`` by its parts (playbook, dbt build, publication), so that each
model is an asset with its own tests, and they push to each destination on its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dagster_project.automation.destinations import load_destinations
from dagster_project.automation.tickets.pull import PullReport, pull
from dagster_project.automation.tickets.push import PushReport, push
from dagster_project.decisioning.decide import decide
from dagster_project.decisioning.published import DecisionReport
from dagster_project.enrichment.labeling import LabelReport, label_new
from dagster_project.home import Home
from dagster_project.ingestion.landing import LandingReport, land
from dagster_project.ingestion.sources import load_sources
from dagster_project.measurement.closed_loop import write_report

Progress = Callable[[str], None]


@dataclass(frozen=True)
class TurnReport:
    """Report of each stage in one turn; ``pushed`` is None when nothing was to leave."""

    landed: LandingReport
    labeled: LabelReport
    pulled: PullReport
    decided: DecisionReport
    pushed: PushReport | None
    report: Path

    @property
    def failures(self) -> list[str]:
        """Work that could not be done: sources and trackers that were not read, and tickets that did not leave."""
        unread = [line.problem for line in self.landed.unread]
        return [*unread, *self.pulled.problems, *(self.pushed.failures if self.pushed else [])]


def turn(
    home: Home,
    *,
    sources: Path,
    as_of: datetime | None = None,
    send: bool = True,
    progress: Progress = lambda _: None,
) -> TurnReport:
    """Run every stage once, as of an instant (default: now).

    What people did to tickets is read before the decision, which needs to know it, also where nothing is to be sent.

    Raises:
        FeedbackControlError: a stage could not do its work; what the stages before it did stays done.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    landed = land(home, load_sources(sources), now=now, progress=progress)
    labeled = label_new(home, progress=progress)
    destinations = load_destinations(home)
    pulled = pull(home, now=now, destinations=destinations, progress=progress)
    decided = decide(home, as_of=as_of or now, progress=progress)
    # Leases count from the push's own present: the stages before it may have taken longer than a lease.
    pushed = push(home, now=datetime.now(UTC), destinations=destinations, progress=progress) if send else None
    return TurnReport(landed, labeled, pulled, decided, pushed, write_report(home))

"""One turn of the loop in plain Python: land, label, pull, decide, push, report.

For the command line and tests: it starts in a second and needs no Dagster instance. The Dagster assets call the same
functions, with two differences: they call ``decide`` by its parts (playbook, dbt build, publication), so that each
model is an asset with its own tests, and they push to each destination on its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from dagster_project.automation.destinations import load_destinations, refused_destinations
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.tickets.pull import PullReport, pull
from dagster_project.automation.tickets.push import PushReport, push
from dagster_project.clock import check_clock, is_past
from dagster_project.clock_repair import repair_future
from dagster_project.decisioning.decide import decide
from dagster_project.decisioning.published import DecisionReport
from dagster_project.enrichment.labeling import LabelReport, label_new
from dagster_project.enrichment.takeover import take_over_model
from dagster_project.files import telling_repairs
from dagster_project.home import Home
from dagster_project.ingestion.landing import LandingReport, land
from dagster_project.ingestion.provenance import sources_of
from dagster_project.ingestion.sources import WrongEntry
from dagster_project.measurement.closed_loop import write_report
from dagster_project.views import open_view

Progress = Callable[[str], None]


@dataclass(frozen=True)
class TurnReport:
    """Report of each stage in one turn; ``pushed`` is None when nothing was to leave.

    ``repairs`` has a line for each cache, mark or lake file that was broken and healed. ``view`` is the home that holds
    the decision where that was as of a past instant. ``notes`` are instants that were re-stamped, and, in a rehearsal,
    the destinations that it does not write to; elsewhere those are ``refused``: the configuration is wrong.
    """

    landed: LandingReport
    labeled: LabelReport
    pulled: PullReport
    decided: DecisionReport
    pushed: PushReport | None
    report: Path
    repairs: list[str] = field(default_factory=list)
    view: Home | None = None
    notes: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def failures(self) -> list[str]:
        """Work that could not be done: sources and trackers that were not read, and tickets that did not leave."""
        unsent = self.pushed.failures if self.pushed else []
        return [*self.landed.failures, *self.pulled.problems, *self.refused, *unsent]


def turn(
    home: Home,
    *,
    sources: Path,
    as_of: datetime | None = None,
    send: bool = True,
    force: bool = False,
    progress: Progress = lambda _: None,
) -> TurnReport:
    """Run every stage once, as of an instant (default: now).

    What people did to tickets is read before the decision, which needs to know it, also where nothing is to be sent. An
    as-of in the past is decided in a view of its own: nothing is published, pulled or sent.

    Args:
        home: the installation.
        sources: the ``sources.yml`` to read.
        as_of: the instant to decide for.
        send: False pulls and decides only.
        force: True believes a clock that has jumped since the last run.
        progress: told of every step.

    Raises:
        FeedbackControlError: a stage could not do its work; what the stages before it did stays done.
    """
    with telling_repairs(progress) as repairs:
        report = _turn(home, sources, as_of, send, force, progress)
    return replace(report, repairs=repairs)


def _turn(home: Home, sources: Path, as_of: datetime | None, send: bool, force: bool, progress: Progress) -> TurnReport:
    now = datetime.now(UTC).replace(microsecond=0)
    past = is_past(home.marked(), as_of, now)
    wrong: list[WrongEntry] = []
    configured = sources_of(home, sources, wrong)
    check_clock(home, now, force=force)
    notes = repair_future(home, now)
    landed = land(home, configured, now=now, progress=progress)
    landed.note_wrong(wrong)
    take_over_model(home, progress)
    labeled = label_new(home, progress=progress)
    if past and as_of:
        view = open_view(home, as_of)
        decided = decide(view, as_of=as_of, progress=progress)
        return TurnReport(landed, labeled, PullReport(), decided, None, write_report(view), view=view, notes=notes)
    ledger = Ledger.of(home, now=now)
    ledger.ownership.check(home.marker)
    notes += ledger.repair_future(now)
    refused = refused_destinations(home)
    if home.is_rehearsal:
        notes, refused = notes + refused, []
    destinations = load_destinations(home)
    pulled = pull(home, now=now, destinations=destinations, progress=progress)
    decided = decide(home, as_of=as_of or now, progress=progress)
    # Leases count from the push's own present: the stages before it may have taken longer than a lease.
    pushed = push(home, now=datetime.now(UTC), destinations=destinations, progress=progress) if send else None
    report = write_report(home)
    return TurnReport(landed, labeled, pulled, decided, pushed, report, notes=notes, refused=refused)

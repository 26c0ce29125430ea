"""One turn of the loop in plain Python: land, label, pull, decide, push, report.

For the command line and tests: it starts in a second and needs no Dagster instance. The Dagster assets call the same
functions, with two differences: they call ``decide`` by its parts (playbook, dbt build, publication), so that each
model is an asset with its own tests, and they push to each destination on its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from dagster_project.automation.destinations import load_destinations, refused_destinations
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.mitigation.mitigate import MitigationReport, mitigate
from dagster_project.automation.tickets.pull import PullReport, pull
from dagster_project.automation.tickets.push import PushReport, push
from dagster_project.clock import check_clock, is_past
from dagster_project.clock_repair import repair_future
from dagster_project.decisioning.decide import decide
from dagster_project.decisioning.published import DecisionReport, present_of
from dagster_project.disk import disk_error
from dagster_project.enrichment.labeling import LabelReport, label_new
from dagster_project.enrichment.takeover import take_over_model
from dagster_project.errors import said_of
from dagster_project.files import telling_repairs
from dagster_project.home import Home
from dagster_project.ingestion.landing import LandingReport, land
from dagster_project.ingestion.provenance import sources_of
from dagster_project.ingestion.sources import WrongEntry
from dagster_project.measurement.closed_loop import write_report
from dagster_project.measurement.pages import are_current, write_pages
from dagster_project.views import open_view

Progress = Callable[[str], None]


@dataclass(frozen=True)
class TurnReport:
    """Report of each stage in one turn; ``pushed`` is None when nothing was to leave, ``report`` if none was written.

    ``repairs`` has a line for each cache, mark or lake file that was broken and healed. ``view`` is the home that holds
    the decision where that was as of a past instant. ``notes`` are instants that were re-stamped, and, in a rehearsal,
    the destinations that it does not write to; elsewhere those are ``refused``: the configuration is wrong. ``failed``
    are the stages around the decision that raised, which stopped no other.
    """

    landed: LandingReport
    labeled: LabelReport
    pulled: PullReport
    decided: DecisionReport
    pushed: PushReport | None
    report: Path | None
    mitigated: MitigationReport | None = None
    repairs: list[str] = field(default_factory=list)
    view: Home | None = None
    notes: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def failures(self) -> list[str]:
        """Work that could not be done: sources and trackers not read, tickets that did not leave, and what raised."""
        unsent = self.pushed.failures if self.pushed else []
        unsent = [*unsent, *(self.mitigated.problems if self.mitigated else ())]
        return [*self.landed.failures, *self.pulled.problems, *self.refused, *unsent, *self.failed]


def turn(
    home: Home,
    *,
    sources: Path,
    as_of: datetime | None = None,
    send: bool = True,
    force: bool = False,
    report: bool = True,
    progress: Progress = lambda _: None,
) -> TurnReport:
    """Run every stage once, as of an instant (default: now).

    What people did to tickets is read before the decision, which needs to know it, also where nothing is to be sent. An
    as-of in the past is decided in a view of its own: nothing is published, pulled or sent. A ledger that cannot be
    used, or a report that cannot be written, keeps no decision from being made and published.

    Args:
        home: the installation.
        sources: the ``sources.yml`` to read.
        as_of: the instant to decide for.
        send: False pulls and decides only.
        force: True believes a clock that has jumped since the last run.
        report: False writes no pages.
        progress: told of every step.

    Raises:
        FeedbackControlError: a stage could not do its work; what the stages before it did stays done.
    """
    with telling_repairs(progress) as repairs:
        done = _turn(home, sources, as_of, _Chosen(send, force, report), progress)
    return replace(done, repairs=repairs)


@dataclass(frozen=True)
class _Chosen:
    """What a turn is to do, beside its decision."""

    send: bool
    force: bool
    report: bool


def _turn(home: Home, sources: Path, as_of: datetime | None, chosen: _Chosen, progress: Progress) -> TurnReport:
    now = datetime.now(UTC).replace(microsecond=0)
    past = is_past(home.marked(), as_of, now)
    wrong: list[WrongEntry] = []
    configured = sources_of(home, sources, wrong)
    check_clock(home, now, force=chosen.force)
    notes = repair_future(home, now)
    landed = land(home, configured, now=now, progress=progress)
    landed.note_wrong(wrong)
    take_over_model(home, progress)
    labeled = label_new(home, progress=progress)
    failed: list[str] = []
    if past and as_of:
        view = open_view(home, as_of)
        decided = decide(view, as_of=as_of, progress=progress)
        page = _page(view, failed, progress) if chosen.report else None
        return TurnReport(landed, labeled, PullReport(), decided, None, page, view=view, notes=notes, failed=failed)
    refused = refused_destinations(home)
    if home.is_rehearsal:
        notes, refused = notes + refused, []
    destinations = load_destinations(home)
    pulled, pushed = PullReport(), None
    with _going_on(home, "nothing is pulled or sent", failed, progress):
        notes += _repaired_ledger(home, now)
        seen = as_of if as_of and home.is_rehearsal else now  # what people did is known when the decision is made
        pulled = pull(home, now=seen, destinations=destinations, progress=progress)
    decided = decide(home, as_of=as_of or now, progress=progress)
    mitigated: MitigationReport | None = None
    if chosen.send and not failed:
        with _going_on(home, "no mitigation goes on", failed, progress):
            mitigated = mitigate(home, now=present_of(home, datetime.now(UTC)), progress=progress)
        with _going_on(home, "nothing more is sent", failed, progress):
            # Leases count from the push's own present: the stages before it may have taken longer than a lease.
            pushed = push(home, now=present_of(home, datetime.now(UTC)), destinations=destinations, progress=progress)
    page = _page(home, failed, progress) if chosen.report else None
    done = TurnReport(landed, labeled, pulled, decided, pushed, page, notes=notes, refused=refused, failed=failed)
    return replace(done, mitigated=mitigated)


def _repaired_ledger(home: Home, now: datetime) -> list[str]:
    """Make sure that the ledger is there and this home's, without instants of the future; returns what was done."""
    ledger = Ledger.of(home, now=now)
    ledger.ownership.check(home.marker)
    return ledger.repair_future(now)


def _page(home: Home, failed: list[str], progress: Progress) -> Path | None:
    """The report, if it can be written."""
    page: Path | None = None
    with _going_on(home, "no report was written", failed, progress):
        if are_current(home):
            return home.reports / "closed_loop.html"
        page = write_report(home)
        write_pages(home)
    return page


@contextmanager
def _going_on(home: Home, without: str, failed: list[str], progress: Progress) -> Iterator[None]:
    """A block that the decision does not need: whatever it raises is told, with what the turn goes without."""
    try:
        yield
    except Exception as error:
        failed.append(f"{without}: {said_of(disk_error(error, home) or error)}")
        progress(failed[-1])

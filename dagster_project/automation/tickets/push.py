"""Push: reconcile every destination with the queue of issues; open, update and resolve each ticket exactly once.

For every destination: render the tickets of the queue, compare them with the ledger's record of the destination, make
each difference durable as an intent, then deliver it. A write without an answer is looked up by its marker (the
idempotency key) after the settle time, and sent again only if it is not there. A run may die at any point, and two may
run at once: the ledger's conditional moves keep every step safe. An unchanged queue sends and writes nothing.

First the ledger is checked against what others remember (``memory.py``). Whatever raises at one destination, in one
template or about one issue harms only its own; the report names it.

The results reach the lake (``ticket_events.py``, ``ledger/lake_export.py``), so that dbt knows when an issue got its
ticket, and the event sinks (``event_delivery.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from dagster_project import lake
from dagster_project.automation.destinations.base import Closeable
from dagster_project.automation.destinations.configured import ConfiguredDestination
from dagster_project.automation.ledger.lake_export import SyncRun, export_sync
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.pushes import CompletePush
from dagster_project.automation.ticket import KIND
from dagster_project.automation.tickets.delivery import Delivery
from dagster_project.automation.tickets.event_delivery import deliver_events, sinks_of
from dagster_project.automation.tickets.issues import Issue, read_queue, work_digest
from dagster_project.automation.tickets.memory import check_memory, wrong_place
from dagster_project.automation.tickets.missing import missing_tickets
from dagster_project.automation.tickets.push_report import PlanKey, Progress, PushReport
from dagster_project.automation.tickets.ticket_events import Sinks, export_events
from dagster_project.clock import SKEW
from dagster_project.decisioning.published import as_of_of_queue
from dagster_project.errors import ConfigurationError, LedgerError, said_of
from dagster_project.home import Home

__all__ = ["PushReport", "push"]


def push(
    home: Home,
    *,
    now: datetime,
    destinations: Sequence[ConfiguredDestination],
    dry_run: bool = False,
    plan: Collection[PlanKey] | None = None,
    progress: Progress = lambda _: None,
    ledger: Ledger | None = None,
    sinks: Sinks | None = None,
) -> PushReport:
    """Bring every destination in line with the queue; a failure at one destination does not stop the others.

    Args:
        home: the installation whose published queue is read.
        now: the present; the time that passes during the push is added to it.
        destinations: where to push, see ``load_destinations``.
        dry_run: send and record nothing, and report the writes that a push would make as ``changes``.
        plan: send only these changes (``Change.key``); a change that has become another one since waits.
        progress: called for each delivered ticket and for each problem.
        ledger: the home's by default.
        sinks: the event sinks; by default those among ``destinations``.

    Raises:
        ConfigurationError: nothing was published yet, or the ledger cannot be used, or is that of another home.
    """
    ledger, report = ledger or Ledger.of(home, now=now), PushReport()
    queue = work_digest(home, ledger)
    as_of = as_of_of_queue(home)
    if not dry_run:
        _claim(home, ledger, now, report, progress)
    if outdated := _outdated(home, ledger, as_of, now):
        return _all_stopped(destinations, report, outdated, progress)
    issues = _issues(home, ledger, destinations, report, progress)
    sending = _Sending(ledger, report, progress, now, plan, dry_run)
    for configured in destinations:
        sending.tickets(configured, issues)
    if dry_run:
        return report
    sinks = sinks_of(destinations) if sinks is None else sinks
    exported = _exported(home, ledger, sending.clock(), sinks, sending.runs, report, progress)
    for configured in destinations:
        sending.events(configured)
    if exported:
        with _lost_ledger(report, progress):
            if as_of and destinations and not home.is_rehearsal:
                ledger.pushes.note_sent(as_of)
            for name, waiting in sending.complete:
                ledger.pushes.complete(name, CompletePush(queue, now, waiting))
    return report


@dataclass
class _Sending:
    """Sending to one destination after the other.

    ``complete`` are the names of those that got all there was, each with the number of tickets that wait there.
    """

    ledger: Ledger
    report: PushReport
    progress: Progress
    now: datetime
    plan: Collection[PlanKey] | None
    dry_run: bool
    started: float = field(default_factory=monotonic)
    runs: list[SyncRun] = field(default_factory=list)
    complete: list[tuple[str, int]] = field(default_factory=list)

    def clock(self) -> datetime:
        """The present."""
        return self.now + timedelta(seconds=monotonic() - self.started)

    def tickets(self, configured: ConfiguredDestination, issues: Sequence[Issue]) -> None:
        """Deliver the queue, or preview it."""
        began, before, failures = self.clock(), self.report.tally, len(self.report.failures)
        with _alone(configured, self.report, self.progress):
            _refuse_what_is_wrong(self.ledger, configured, self.now, dry_run=self.dry_run)
            delivery = Delivery(self.ledger, configured, self.clock, self.progress, self.report, self.plan)
            if self.dry_run:
                delivery.preview(issues)
            else:
                delivery.run(issues)
        counts = {name: count - before[name] for name, count in self.report.tally.items()}
        self.runs.append(SyncRun(configured.name, began, self.clock(), counts))
        if len(self.report.failures) == failures and self.plan is None:
            self.complete.append((configured.name, counts["deferred"]))

    def events(self, configured: ConfiguredDestination) -> None:
        """Deliver the events that wait, and tell of tickets that are gone."""
        with _alone(configured, self.report, self.progress):
            if configured.broken:
                return
            deliver_events(self.ledger, configured.destination, self.clock, self.report, self.progress)
            if missing := missing_tickets(self.ledger, configured.destination):
                self.progress(self.report.problem(configured.name, missing))


def _claim(home: Home, ledger: Ledger, now: datetime, report: PushReport, progress: Progress) -> None:
    """Make sure that the ledger is this home's, and check it against what others remember."""
    lake.refuse_borrowed(home)
    ledger.ownership.claim(home.marker)
    if found := check_memory(home, ledger, now):
        progress(report.problem("ledger", found))


def _outdated(home: Home, ledger: Ledger, as_of: datetime | None, now: datetime) -> str:
    """Why the queue may not be sent: a newer one was sent before. A rehearsal goes where it likes.

    Two turns that overlap may swap a queue for one of the tick before.
    """
    sent = None if home.is_rehearsal else ledger.pushes.sent_as_of(now)
    if as_of is None or sent is None or as_of >= sent - SKEW:
        return ""
    return (
        f"nothing is sent: the queue is as of {as_of:%Y-%m-%d %H:%M} UTC, and one as of {sent:%Y-%m-%d %H:%M} was sent"
        " before; decide anew with `feedback-control run`"
    )


def _all_stopped(
    destinations: Sequence[ConfiguredDestination], report: PushReport, reason: str, progress: Progress
) -> PushReport:
    for configured in destinations:
        with _alone(configured, report, progress):
            progress(report.stop(configured.name, reason))
    return report


def _issues(
    home: Home,
    ledger: Ledger,
    destinations: Sequence[ConfiguredDestination],
    report: PushReport,
    progress: Progress,
) -> list[Issue]:
    """The queue; a row that breaks its contract concerns its own issue only."""
    after_a_gap = any(ledger.continuity.unreconciled(one.name) for one in destinations)
    broken: list[str] = []
    issues = read_queue(home, _followed(ledger, destinations), resolved=after_a_gap, problems=broken)
    for problem in broken:
        progress(report.fail("queue", problem))
    return issues


def _refuse_what_is_wrong(ledger: Ledger, configured: ConfiguredDestination, now: datetime, *, dry_run: bool) -> None:
    """Raise what is wrong with a destination's entry, or with its name and place; remember the place of a right one."""
    if wrong := configured.broken or wrong_place(ledger, configured):
        raise ConfigurationError(wrong)
    place = configured.place
    if place and not dry_run and ledger.continuity.places().get(configured.name) != place:
        ledger.continuity.set_place(configured.name, place, now)


def _exported(
    home: Home,
    ledger: Ledger,
    now: datetime,
    sinks: Sinks,
    runs: Sequence[SyncRun],
    report: PushReport,
    progress: Progress,
) -> bool:
    """Bring the lake up to date; False if that failed, which a later push makes good."""
    try:
        export_events(home, ledger, now, sinks)
        export_sync(home, ledger, KIND, runs)
    except Exception as error:
        progress(report.fail("lake", f"what was sent is exported by the next push: {said_of(error)}"))
        return False
    return True


@contextmanager
def _alone(configured: ConfiguredDestination, report: PushReport, progress: Progress) -> Iterator[None]:
    """A block about one destination: whatever it raises stops that one, and the others go on."""
    try:
        yield
    except Exception as error:
        progress(report.stop(configured.name, f"nothing more is sent in this run: {said_of(error)}"))
    finally:
        try:
            if isinstance(configured.destination, Closeable):
                configured.destination.close()
        except Exception as error:
            progress(report.problem(configured.name, f"its connections could not be closed: {said_of(error)}"))


@contextmanager
def _lost_ledger(report: PushReport, progress: Progress) -> Iterator[None]:
    try:
        yield
    except LedgerError as error:
        progress(report.fail("ledger", str(error)))


def _followed(ledger: Ledger, destinations: Sequence[ConfiguredDestination]) -> set[str]:
    """The issues whose tickets may have to change, even if they are over."""
    followed: set[str] = set()
    for configured in destinations:
        followed |= ledger.open_heads(configured.name).keys() | ledger.umbrellas.members(configured.name).keys()
    return followed

"""Push: reconcile every destination with the queue of issues; open, update and resolve each ticket exactly once.

For every destination: render the tickets of the queue, compare them with the ledger's record of the destination, make
each difference durable as an intent, then deliver it. A write without an answer is looked up by its marker (the
idempotency key) after the settle time, and sent again only if it is not there. A run may die at any point, and two may
run at once: the ledger's conditional moves keep every step safe. An unchanged queue sends and writes nothing.

The results reach the lake (``ticket_events.py``, ``ledger/lake_export.py``), so that dbt knows when an issue got its
ticket, and the event sinks (``event_delivery.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from time import monotonic

from dagster_project.automation.destinations.base import Closeable
from dagster_project.automation.destinations.configured import ConfiguredDestination
from dagster_project.automation.ledger.lake_export import SyncRun, export_sync
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ticket import KIND
from dagster_project.automation.tickets.delivery import Delivery
from dagster_project.automation.tickets.event_delivery import deliver_events, sinks_of
from dagster_project.automation.tickets.issues import read_queue
from dagster_project.automation.tickets.push_report import PlanKey, Progress, PushReport
from dagster_project.automation.tickets.ticket_events import Sinks, export_events
from dagster_project.clock import SKEW
from dagster_project.decisioning.published import as_of_of_queue
from dagster_project.errors import ConfigurationError
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
        ConfigurationError: nothing was published yet, or the ledger cannot be used or belongs to another home.
        DecisionError: a row of the queue breaks its contract.
    """
    ledger, as_of = ledger or Ledger(home.ledger_url, now=now), as_of_of_queue(home)
    if not dry_run:
        ledger.ownership.claim(home.marker)
    if outdated := _outdated(home, ledger, as_of, now):
        return _all_stopped(destinations, outdated, progress)
    issues = read_queue(home, _followed(ledger, destinations))
    started = monotonic()

    def clock() -> datetime:
        return now + timedelta(seconds=monotonic() - started)

    report, runs = PushReport(), []
    for configured in destinations:
        began, before = clock(), report.tally
        delivery = Delivery(ledger, configured, clock, progress, report, plan)
        try:
            if dry_run:
                delivery.preview(issues)
            else:
                delivery.run(issues)
        except ConfigurationError as error:  # a template, or the mapping of a field: the others go on
            progress(report.stop(configured.name, f"nothing is sent: {error}"))
        finally:
            _close(configured)
        counts = {name: count - before[name] for name, count in report.tally.items()}
        runs.append(SyncRun(configured.name, began, clock(), counts))
    if not dry_run:
        export_events(home, ledger, clock(), sinks_of(destinations) if sinks is None else sinks)
        export_sync(home, ledger, KIND, runs)
        for configured in destinations:
            deliver_events(ledger, configured.destination, clock, report, progress)
            _close(configured)
        if as_of and destinations and not home.is_rehearsal:
            ledger.ownership.note_sent(as_of)
    return report


def _outdated(home: Home, ledger: Ledger, as_of: datetime | None, now: datetime) -> str:
    """Why the queue may not be sent: a newer one was sent before. A rehearsal goes where it likes.

    Two turns that overlap may swap a queue for one of the tick before.
    """
    sent = None if home.is_rehearsal else ledger.ownership.sent_as_of(now)
    if as_of is None or sent is None or as_of >= sent - SKEW:
        return ""
    return (
        f"nothing is sent: the queue is as of {as_of:%Y-%m-%d %H:%M} UTC, and one as of {sent:%Y-%m-%d %H:%M} was sent"
        " before; decide anew with `feedback-control run`"
    )


def _all_stopped(destinations: Sequence[ConfiguredDestination], reason: str, progress: Progress) -> PushReport:
    report = PushReport()
    for configured in destinations:
        progress(report.stop(configured.name, reason))
        _close(configured)
    return report


def _close(configured: ConfiguredDestination) -> None:
    if isinstance(configured.destination, Closeable):
        configured.destination.close()


def _followed(ledger: Ledger, destinations: Sequence[ConfiguredDestination]) -> set[str]:
    """The issues whose tickets may have to change, even if they are over."""
    followed: set[str] = set()
    for configured in destinations:
        followed |= ledger.open_heads(configured.name).keys() | ledger.umbrellas.members(configured.name).keys()
    return followed

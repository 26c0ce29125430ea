"""From the queue to the trackers: open, update and resolve tickets, each exactly once.

For every destination: render what the queue wants, compare it with what the ledger says the destination holds, make
each difference durable as an intent, then deliver it. What was sent and got no answer is looked up by its marker once
it must have become visible, and sent again only if it is not there. A run may die at any point, and two may run at
once: the ledger's conditional moves keep every step safe. An unchanged queue sends nothing and writes nothing.

What was done reaches the lake (``exports.py``), so that dbt knows when an issue got its ticket, and how well pushing
goes; and it reaches the sinks of events (``telling.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from time import monotonic

from dagster_project.automation.destinations.base import Closeable
from dagster_project.automation.destinations.configured import Outlet
from dagster_project.automation.ledger.event_outbox import Sinks
from dagster_project.automation.ledger.lake_export import Synced, export
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.tickets.delivery import Delivery
from dagster_project.automation.tickets.event_delivery import sinks_of, tell
from dagster_project.automation.tickets.issues import read_queue
from dagster_project.automation.tickets.push_report import PlanKey, Progress, PushReport
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home

__all__ = ["PushReport", "push"]


def push(
    home: Home,
    *,
    now: datetime,
    outlets: Sequence[Outlet],
    dry_run: bool = False,
    plan: Collection[PlanKey] | None = None,
    progress: Progress = lambda _: None,
    ledger: Ledger | None = None,
    sinks: Sinks | None = None,
) -> PushReport:
    """Bring every destination in line with the queue; what one destination refuses does not stop the others.

    Args:
        home: the installation whose published queue is read.
        now: the present; the time that passes during the push is added to it.
        outlets: where to push, see ``load_outlets``.
        dry_run: send and record nothing, and report as ``changes`` what would be sent.
        plan: send only these changes (``Change.key``); what differs from them by now waits.
        progress: told of each ticket as it is delivered, and of each problem.
        ledger: the home's by default.
        sinks: who is told of tickets; by default those among ``outlets``.

    Raises:
        ConfigurationError: nothing was published yet, or the ledger cannot be used.
        DecisionError: the queue is not what its contract promises.
    """
    ledger = ledger or Ledger(home.ledger_url, now=now)
    issues = read_queue(home, _followed(ledger, outlets))
    started = monotonic()

    def clock() -> datetime:
        return now + timedelta(seconds=monotonic() - started)

    report, runs = PushReport(), []
    for outlet in outlets:
        began, before = clock(), report.tally
        delivery = Delivery(ledger, outlet, clock, progress, report, plan)
        try:
            if dry_run:
                delivery.preview(issues)
            else:
                delivery.run(issues)
        except ConfigurationError as error:  # a template, or the mapping of a field: the others go on
            progress(report.stop(outlet.name, f"nothing is sent: {error}"))
        finally:
            _close(outlet)
        counts = {name: count - before[name] for name, count in report.tally.items()}
        runs.append(Synced(outlet.name, began, clock(), counts))
    if not dry_run:
        export(home, ledger, runs, clock(), sinks_of(outlets) if sinks is None else sinks)
        for outlet in outlets:
            tell(ledger, outlet.destination, clock, report, progress)
            _close(outlet)
    return report


def _close(outlet: Outlet) -> None:
    if isinstance(outlet.destination, Closeable):
        outlet.destination.close()


def _followed(ledger: Ledger, outlets: Sequence[Outlet]) -> set[str]:
    """The issues whose tickets may have to change, even if they are over."""
    followed: set[str] = set()
    for outlet in outlets:
        followed |= ledger.open_heads(outlet.name).keys() | ledger.umbrella_members(outlet.name).keys()
    return followed

"""From the queue to the trackers: open, update and resolve tickets, each exactly once.

For every destination: render what the queue wants, compare it with what the ledger says the destination holds, make
each difference durable as an intent, then deliver it. What was sent and got no answer is looked up by its marker once
it must have become visible, and sent again only if it is not there. A run may die at any point, and two may run at
once: the ledger's conditional moves keep every step safe. An unchanged queue sends nothing and writes nothing.

What was confirmed reaches the lake as ``ticket_events``, each event once, so that dbt knows when an issue got its
ticket.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from time import monotonic

import polars as pl

from dagster_project import lake
from dagster_project.automation.delivery import PAST, Delivery
from dagster_project.automation.destinations.base import Closeable, Ticket
from dagster_project.automation.destinations.outlet import Outlet
from dagster_project.automation.intents import Action, Intent
from dagster_project.automation.ledger import Ledger
from dagster_project.automation.queue import read_queue
from dagster_project.automation.report import PlanKey, Progress, PushReport
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home
from dagster_project.ingestion.contracts import schema_of

__all__ = ["PushReport", "push"]

EVENTS = "ticket_events"


def push(
    home: Home,
    *,
    now: datetime,
    outlets: Sequence[Outlet],
    dry_run: bool = False,
    plan: Collection[PlanKey] | None = None,
    progress: Progress = lambda _: None,
    ledger: Ledger | None = None,
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

    Raises:
        ConfigurationError: nothing was published yet, or the ledger cannot be used.
        DecisionError: the queue is not what its contract promises.
    """
    ledger = ledger or Ledger(home.ledger_url, now=now)
    issues = read_queue(home, _followed(ledger, outlets))
    started = monotonic()

    def clock() -> datetime:
        return now + timedelta(seconds=monotonic() - started)

    report = PushReport()
    for outlet in outlets:
        delivery = Delivery(ledger, outlet, clock, progress, report, plan)
        try:
            if dry_run:
                delivery.preview(issues)
            else:
                delivery.run(issues)
        except ConfigurationError as error:  # a template, or the mapping of a field: the others go on
            progress(report.problem(outlet.name, f"nothing is sent: {error}"))
        finally:
            if isinstance(outlet.destination, Closeable):
                outlet.destination.close()
    if not dry_run:
        _export_events(home, ledger, clock())
    return report


def _followed(ledger: Ledger, outlets: Sequence[Outlet]) -> set[str]:
    """The issues whose tickets may have to change, even if they are over."""
    followed: set[str] = set()
    for outlet in outlets:
        followed |= ledger.open_heads(outlet.name).keys() | ledger.umbrella_members(outlet.name).keys()
    return followed


def _export_events(home: Home, ledger: Ledger, now: datetime) -> None:
    """Bring newly confirmed actions into the lake, each once, however often this is interrupted."""
    lake.ensure_table(home, EVENTS, schema_of(EVENTS))
    with ledger.exporting(now) as confirmed:
        events = {_event_id(intent): _event(intent, ticket) for intent, ticket in confirmed}
        if not events:
            return
        landed = lake.scan(home, EVENTS).filter(pl.col("event_id").is_in(list(events))).select("event_id").collect()
        known = set(landed["event_id"])
        fresh = [event for key, event in events.items() if key not in known]
        if fresh:
            lake.append(home, EVENTS, pl.DataFrame(fresh, schema=schema_of(EVENTS)))


def _event_id(intent: Intent) -> str:
    # A ticket is created once, whichever ledger saw it; every other event is told apart by what it said.
    told_apart = "" if intent.action is Action.CREATE else f"{intent.sequence} {intent.payload_hash}"
    key = f"{intent.destination} {intent.issue_id} {intent.action} {told_apart}"
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _event(intent: Intent, ticket: Ticket) -> dict[str, object]:
    return {
        "event_id": _event_id(intent),
        "issue_id": intent.issue_id,
        "destination": intent.destination,
        "external_id": intent.external_id,
        "url": intent.url,
        "event": PAST[intent.action],
        "priority": ticket.priority,
        "occurred_at": intent.confirmed_at,
        "known_at": intent.confirmed_at,
    }

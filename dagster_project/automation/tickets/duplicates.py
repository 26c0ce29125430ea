"""Close duplicates of a ticket at the destination: find them by marker, keep the oldest.

Whatever the ledger knows, a request may have been delivered twice on its way, or by a run that was believed dead. Two
look-ups by marker in the life of each ticket find that: a settle time after it was confirmed, and a day later. They
also find a create that was given up after it had been sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from dagster_project.automation.destinations.base import FindsByMarker, RepeatsSafely, TicketDestination
from dagster_project.automation.ledger.intents import Intent, State
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.outcomes import DeliveryError
from dagster_project.automation.ticket import ExternalTicket, Ticket
from dagster_project.automation.tickets.push_report import Progress, PushReport

CLOCK_MARGIN = timedelta(hours=1)
"""Largest lag of the target's clock behind ours."""


def close_duplicates(
    ledger: Ledger,
    destination: TicketDestination,
    clock: Callable[[], datetime],
    report: PushReport,
    progress: Progress,
) -> None:
    """Make the checks that are due; the first failure leaves the rest to the next run."""
    if not isinstance(destination, FindsByMarker) or isinstance(destination, RepeatsSafely):
        return
    settle = timedelta(seconds=destination.settle_seconds)
    for intent in ledger.duplicate_checks.due(destination.name, clock(), settle):
        sent = Ticket.from_json(ledger.payload(intent))
        try:
            found = destination.find_by_marker(sent.marker, intent.created_at - CLOCK_MARGIN)
            if found and intent.state is State.WITHDRAWN:
                ledger.found(intent, found[0], as_sent=False, now=clock())
                continue  # it is there after all: the next run brings it in line with its issue
            for duplicate in _duplicates(found, intent):
                _close(destination, duplicate, intent, sent)
                ledger.duplicate_checks.closed(intent, duplicate, clock())
                report.twins += 1
                progress(f"{destination.name}: closed {duplicate.external_id}, a duplicate of {intent.external_id}")
        except Exception as error:
            reason = error.outcome.reason if isinstance(error, DeliveryError) else repr(error)
            later = f"{sent.title}: the next run checks for duplicates: {reason}"
            progress(report.problem(destination.name, later))
            return
        ledger.duplicate_checks.done(intent, clock())


def _duplicates(found: list[ExternalTicket], intent: Intent) -> list[ExternalTicket]:
    """The open ones beside the ticket that the ledger keeps; none unless that one is seen to be there."""
    if not any(ticket.external_id == intent.external_id for ticket in found):
        return []
    return [ticket for ticket in found if ticket.external_id != intent.external_id and not ticket.closed]


def _close(destination: TicketDestination, duplicate: ExternalTicket, kept: Intent, sent: Ticket) -> None:
    note = f"Closed as a duplicate of {kept.url}: the same request reached this tool twice."
    key = hashlib.sha256(f"{sent.marker} twin {duplicate.external_id}".encode()).hexdigest()[:24]
    closed = replace(sent, status="resolved", keeps_open=False, note=note, note_key=key)
    destination.resolve(duplicate.external_id, closed)

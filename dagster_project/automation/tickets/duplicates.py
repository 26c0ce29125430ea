"""Close duplicates of a ticket at the destination: find them by marker, keep the oldest that is open.

Whatever the ledger knows, a request may have been delivered twice on its way, or by a run that was believed dead. Two
look-ups by marker in the life of each ticket find that: a settle time after it was confirmed, and a day later. They
also find a create that was given up after it had been sent. A ledger that was put back may have opened a second ticket:
people work on the first, so that one is kept, and the ledger is bound to it.
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
from dagster_project.errors import LedgerError

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
            if (seen := _kept(found, intent)) is None:
                ledger.duplicate_checks.done(intent, clock())
                continue
            kept, duplicates = seen
            if kept.external_id != intent.external_id:
                ledger.rebind(intent, kept, clock())
            for duplicate in duplicates:
                _close(destination, duplicate, kept, sent)
                ledger.duplicate_checks.closed(intent, kept, duplicate, clock())
                report.twins += 1
                progress(f"{destination.name}: closed {duplicate.external_id}, a duplicate of {kept.external_id}")
        except LedgerError:
            raise
        except Exception as error:
            reason = error.outcome.reason if isinstance(error, DeliveryError) else repr(error)
            later = f"{sent.title}: the next run checks for duplicates: {reason}"
            progress(report.problem(destination.name, later))
            return
        ledger.duplicate_checks.done(intent, clock())


def _kept(found: list[ExternalTicket], intent: Intent) -> tuple[ExternalTicket, list[ExternalTicket]] | None:
    """The ticket to keep, and the open ones beside it; None unless the ledger's own is seen to be there.

    The ledger's own is kept if somebody has closed it: what people decided there holds.
    """
    own = next((ticket for ticket in found if ticket.external_id == intent.external_id), None)
    if own is None:
        return None
    kept = own if own.closed else next(ticket for ticket in found if not ticket.closed)
    return kept, [one for one in found if one.external_id != kept.external_id and not one.closed]


def _close(destination: TicketDestination, duplicate: ExternalTicket, kept: ExternalTicket, sent: Ticket) -> None:
    note = f"Closed as a duplicate of {kept.url}: the same request reached this tool twice."
    key = hashlib.sha256(f"{sent.marker} twin {duplicate.external_id}".encode()).hexdigest()[:24]
    closed = replace(sent, status="resolved", keeps_open=False, note=note, note_key=key)
    destination.resolve(duplicate.external_id, closed)

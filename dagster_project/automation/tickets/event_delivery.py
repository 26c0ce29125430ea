"""Event delivery: hand the outbox's events about tickets to webhooks and event files, with retry and back-off.

The transaction that exports a confirmed write fills the outbox (``ticket_events.py``), so no crash loses an event.
Delivery is retried until the sink has the event: its id stays the same, and consumers deduplicate on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from dagster_project.automation.destinations.base import TakesEvents, TicketDestination
from dagster_project.automation.destinations.configured import ConfiguredDestination
from dagster_project.automation.ledger.event_outbox import OutboxEvent
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.transitions import RETRY_REJECTED, backoff
from dagster_project.automation.outcomes import Deferred, DeliveryError, Failure, Rejected, Unknown
from dagster_project.automation.tickets.push_report import Progress, PushReport
from dagster_project.automation.tickets.ticket_events import Sinks


def sinks_of(destinations: Sequence[ConfiguredDestination]) -> Sinks:
    """The event sinks among the destinations, each with its priorities."""
    return {one.name: one.policy.priorities for one in destinations if isinstance(one.destination, TakesEvents)}


def deliver_events(
    ledger: Ledger,
    destination: TicketDestination,
    clock: Callable[[], datetime],
    report: PushReport,
    progress: Progress,
) -> None:
    """Deliver the due events to a sink; a failed delivery is retried by a later run."""
    if not isinstance(destination, TakesEvents) or ledger.rate_limited_until(destination.name, clock()):
        return
    settle = timedelta(seconds=destination.settle_seconds)
    outbox = ledger.event_outbox
    waiting = outbox.due_events(destination.name, clock())
    for number, entry in enumerate(waiting):
        if not outbox.claim_event(entry, clock()):
            continue  # another run delivers it
        what = f"{entry.event['type']} of {entry.event['subject']}"
        failure = _failure(destination, entry)
        if failure is None:
            outbox.delivered(entry, clock())
            progress(f"{destination.name}: delivered {what}")
            continue
        wait = _wait(failure, entry, settle)
        limited = isinstance(failure, Deferred)
        outbox.not_delivered(entry, failure.reason, clock(), wait, rate_limited=limited)
        later = f"{what} is delivered later: {failure.reason}"
        if not isinstance(failure, Rejected) or failure.whole_destination:
            report.deferred += len(waiting) - number
            progress(report.stop(destination.name, later))
            return
        report.rejected += 1
        progress(report.problem(destination.name, later))


def _failure(sink: TakesEvents, entry: OutboxEvent) -> Failure | None:
    try:
        sink.deliver(entry.event)
    except DeliveryError as error:
        return error.outcome
    except Exception as error:
        return Unknown(f"unforeseen {type(error).__name__}: {error}")
    return None


def _wait(failure: Failure, entry: OutboxEvent, settle: timedelta) -> timedelta:
    if isinstance(failure, Rejected):
        return timedelta() if failure.whole_destination else RETRY_REJECTED
    if isinstance(failure, Deferred):
        return max(failure.wait, settle)
    return backoff(settle, entry.attempts)

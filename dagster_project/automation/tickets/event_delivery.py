"""Sinks of events hear what becomes of tickets elsewhere: created, updated, closed, each event once.

The transaction that counts a confirmed write as seen notes who is to be told of it, so no crash loses an event. Telling
repeats until the sink has it: the id stays the same, and an id is taken once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from dagster_project.automation.destinations.base import TakesEvents, TicketDestination
from dagster_project.automation.destinations.configured import Outlet
from dagster_project.automation.ledger.event_outbox import Sinks, Telling
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.transitions import RETRY_REFUSED, backoff
from dagster_project.automation.outcomes import Deferred, DeliveryError, Failure, Rejected, Unknown
from dagster_project.automation.tickets.push_report import Progress, PushReport


def sinks_of(outlets: Sequence[Outlet]) -> Sinks:
    """Who among the destinations is told of tickets, and of which priorities."""
    return {one.name: one.policy.priorities for one in outlets if isinstance(one.destination, TakesEvents)}


def tell(
    ledger: Ledger,
    destination: TicketDestination,
    clock: Callable[[], datetime],
    report: PushReport,
    progress: Progress,
) -> None:
    """Tell a sink what it has not been told; what goes wrong is told by a later run."""
    if not isinstance(destination, TakesEvents) or ledger.held_until(destination.name, clock()):
        return
    settle = timedelta(seconds=destination.settle_seconds)
    waiting = ledger.untold(destination.name, clock())
    for number, telling in enumerate(waiting):
        if not ledger.begin_to_tell(telling, clock()):
            continue  # another run tells it
        what = f"{telling.event['type']} of {telling.event['subject']}"
        failure = _failure(destination, telling)
        if failure is None:
            ledger.told(telling, clock())
            progress(f"{destination.name}: told {what}")
            continue
        wait = _wait(failure, telling, settle)
        ledger.not_told(telling, failure.reason, clock(), wait, holds=isinstance(failure, Deferred))
        progress(report.problem(destination.name, f"{what} is told later: {failure.reason}"))
        if not isinstance(failure, Rejected) or failure.whole_destination:
            report.deferred += len(waiting) - number
            return
        report.rejected += 1


def _failure(sink: TakesEvents, telling: Telling) -> Failure | None:
    try:
        sink.tell(telling.event)
    except DeliveryError as error:
        return error.outcome
    except Exception as error:
        return Unknown(f"unforeseen {type(error).__name__}: {error}")
    return None


def _wait(failure: Failure, telling: Telling, settle: timedelta) -> timedelta:
    if isinstance(failure, Rejected):
        return timedelta() if failure.whole_destination else RETRY_REFUSED
    if isinstance(failure, Deferred):
        return max(failure.wait, settle)
    return backoff(settle, telling.attempts)

"""The vocabulary of the protocol, without a database: what an intent is, and the one decision about each issue.

``next_step`` is that decision: what to do about one issue at one destination, given what the ledger holds and what the
queue wants. It is pure, its rules are in the order in which they apply, and the ledger makes each step safe to take.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dagster_project.automation.ticket import Status, Ticket


class Action(StrEnum):
    """What an intent does to the ticket."""

    CREATE = "create"
    UPDATE = "update"
    RESOLVE = "resolve"


PAST = {Action.CREATE: "created", Action.UPDATE: "updated", Action.RESOLVE: "resolved"}
"""Each action as a thing of the past, for reports."""


class State(StrEnum):
    """Where an intent is; ``ledger.py`` draws what moves between them."""

    PENDING = "pending"
    SENDING = "sending"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    HELD = "held"
    WITHDRAWN = "withdrawn"


DEAD_LETTERS = (State.REJECTED, State.HELD)
"""States in which an intent waits for a person (a refused one is also tried again after a day)."""

NOT_THERE = (State.PENDING, State.REJECTED, State.WITHDRAWN)
"""States in which the target certainly does not have what the intent says."""


@dataclass(frozen=True)
class Intent:
    """One outbound write, without its payload (``Ledger.ticket`` reads that).

    ``sequence`` numbers the intents of one issue at one destination: 0 opens the ticket, the last one is the head.
    """

    intent_id: str
    issue_id: str
    destination: str
    sequence: int
    action: Action
    state: State
    payload_hash: str
    external_id: str | None
    url: str | None
    reason: str
    attempts: int
    not_before: datetime
    lease_until: datetime | None
    confirmed_at: datetime | None
    created_at: datetime
    owner: str


@dataclass(frozen=True)
class Grounds:
    """Why an intent was recorded, for the audit log; ``confidence`` (0-1) is that of the verdict behind it."""

    basis: str = ""
    confidence: float | None = None


class Step(StrEnum):
    """What to do next about one issue at one destination."""

    NOTHING = "nothing"  # the ticket says what it should, or none is due
    WAIT = "wait"  # too early to send or to look up, or another run is sending it
    STANDS = "stands"  # waits for a person, or was refused and is still the same
    EXPIRE = "expire"  # the run that was sending it is gone
    LOOK_UP = "look up"
    SEND = "send"
    WITHDRAW = "withdraw"


def next_step(head: Intent | None, delivered: Intent | None, wanted: Ticket, now: datetime) -> tuple[Step, Action]:
    """The next step, and the action that a ``SEND`` takes.

    Args:
        head: the newest intent for the issue at this destination.
        delivered: the newest confirmed one, which may be the head itself: what the target holds.
        wanted: the ticket as it should be.
        now: the present.
    """
    action = _action(delivered, wanted)
    if is_history(head, wanted.status):
        return Step.NOTHING, action
    if head is None:
        return Step.SEND, action
    if head.state is State.SENDING:
        alive = head.lease_until is not None and head.lease_until > now
        return (Step.WAIT if alive else Step.EXPIRE), action
    if head.state is State.UNKNOWN:
        return (Step.WAIT if head.not_before > now else Step.LOOK_UP), action
    if head.state is State.HELD:
        return Step.STANDS, action
    if not _is_due(delivered, wanted):
        idle = head.state in (State.CONFIRMED, State.WITHDRAWN)
        return (Step.NOTHING if idle else Step.WITHDRAW), action
    if head.state is State.PENDING and head.not_before > now:
        return Step.WAIT, action
    if head.state is State.REJECTED and head.not_before > now and head.payload_hash == wanted.content_hash:
        return Step.STANDS, action
    return Step.SEND, action


def is_history(head: Intent | None, status: Status) -> bool:
    """Whether an issue is over and so is its ticket: most rows of an old queue, which need not even be rendered.

    A resolved issue that never had a ticket gets none, and late numbers do not disturb a ticket that was resolved.
    """
    if status == "open":
        return False
    return head is None or (head.state is State.CONFIRMED and head.action is Action.RESOLVE)


def _is_due(delivered: Intent | None, wanted: Ticket) -> bool:
    if delivered is None:
        return wanted.status == "open"
    return delivered.payload_hash != wanted.content_hash


def _action(delivered: Intent | None, wanted: Ticket) -> Action:
    if delivered is None:
        return Action.CREATE
    return Action.RESOLVE if wanted.status == "resolved" else Action.UPDATE

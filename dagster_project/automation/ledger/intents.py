"""Vocabulary of the exactly-once protocol, and ``next_step``, its one decision per subject; pure, without a database.

An intent is one outbound write of a payload (a ticket, a mitigation) about a subject (an issue, a plan). ``next_step``
compares the newest intent, the last confirmed one and the wanted payload. Its rules stand in the order in which they
apply; the ledger makes each step safe to take.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Payload(Protocol):
    """The desired state of one subject at one destination. The ledger stores it as JSON and never parses it."""

    @property
    def kind(self) -> str:
        """The name of this kind of payload, by which a stored one is parsed."""
        ...

    @property
    def subject_id(self) -> str:
        """The id of the subject."""
        ...

    @property
    def marker(self) -> str:
        """The idempotency key, by which the write is found again outside."""
        ...

    @property
    def owner(self) -> str:
        """The person or team that deals with it as a dead letter."""
        ...

    @property
    def title(self) -> str:
        """One line for people."""
        ...

    @property
    def content_hash(self) -> str:
        """Equal for payloads that ask for the same state."""
        ...

    @property
    def is_final(self) -> bool:
        """True if the subject is over: once this is confirmed, nothing more is due."""
        ...

    def as_json(self) -> str:
        """The payload as the ledger stores it."""
        ...


class State(StrEnum):
    """State of an intent; ``ledger.py`` draws the moves between them."""

    PENDING = "pending"
    SENDING = "sending"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    HELD = "held"
    WITHDRAWN = "withdrawn"


DEAD_LETTERS = (State.REJECTED, State.HELD)
"""States in which an intent waits for a person (a rejected one is also retried after a day)."""

NOT_THERE = (State.PENDING, State.REJECTED, State.WITHDRAWN)
"""States in which the target certainly does not have the payload."""


@dataclass(frozen=True)
class Intent:
    """One outbound write, without its payload (``Ledger.payload`` reads that).

    ``sequence`` numbers the intents of one subject at one destination; the last one is the head. ``action`` is the
    caller's word for the write.
    """

    intent_id: str
    kind: str
    subject_id: str
    destination: str
    sequence: int
    action: str
    is_final: bool
    state: State
    title: str
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

    @property
    def opens(self) -> bool:
        """True for the first write about its subject at its destination."""
        return self.sequence == 0


@dataclass(frozen=True)
class Grounds:
    """Reason for an intent, for the audit log; ``confidence`` (0-1) is that of the verdict behind it."""

    basis: str = ""
    confidence: float | None = None


class Step(StrEnum):
    """Next step for one subject at one destination."""

    NOTHING = "nothing"  # the target has the wanted state, or none is due
    WAIT = "wait"  # too early to send or to look up, or another run is sending it
    BLOCKED = "blocked"  # held for a person, or rejected and unchanged since
    EXPIRE = "expire"  # the run that was sending it is gone
    LOOK_UP = "look up"
    SEND = "send"
    WITHDRAW = "withdraw"


def next_step(head: Intent | None, delivered: Intent | None, wanted: Payload, now: datetime) -> Step:
    """Decide the next step for one subject at one destination.

    Args:
        head: the newest intent for the subject at this destination.
        delivered: the newest confirmed one, which may be the head itself: the state that the target has.
        wanted: the payload as it should be.
        now: the present.
    """
    if is_history(head, is_final=wanted.is_final):
        return Step.NOTHING
    if head is None:
        return Step.SEND
    if head.state is State.SENDING:
        alive = head.lease_until is not None and head.lease_until > now
        return Step.WAIT if alive else Step.EXPIRE
    if head.state is State.UNKNOWN:
        return Step.WAIT if head.not_before > now else Step.LOOK_UP
    if head.state is State.HELD:
        return Step.BLOCKED
    if not _is_due(delivered, wanted):
        idle = head.state in (State.CONFIRMED, State.WITHDRAWN)
        return Step.NOTHING if idle else Step.WITHDRAW
    if head.state is State.PENDING and head.not_before > now:
        return Step.WAIT
    if head.state is State.REJECTED and head.not_before > now and head.payload_hash == wanted.content_hash:
        return Step.BLOCKED
    return Step.SEND


def is_history(head: Intent | None, *, is_final: bool) -> bool:
    """True if the subject is over and so are its writes: most rows of an old queue, which need not be rendered.

    A subject that is over and was never written stays so, and late numbers do not disturb a confirmed final write.
    """
    return is_final and (head is None or (head.state is State.CONFIRMED and head.is_final))


def _is_due(delivered: Intent | None, wanted: Payload) -> bool:
    if delivered is None:
        return not wanted.is_final
    return delivered.payload_hash != wanted.content_hash

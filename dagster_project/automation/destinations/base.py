"""What a destination is: a tracker that tickets are opened in, updated in and resolved in.

A destination knows one tool and nothing of the ledger. Its methods return the ticket as the tool now has it, or raise
``DeliveryError`` carrying what is known of the outcome. That outcome is the whole contract with ``push.py``:

    Confirmed   the tool has it
    Rejected    the tool refused it for good; the reason names the setting or ticket to fix
    Unknown     it was sent and the answer was lost: it may or may not be there. Never sent again before a look-up
    NotSent     no connection was made, so it is certainly not there
    Deferred    the tool asked to wait (rate limit); it is certainly not there

Two rules make exactly-once possible. ``create`` writes with one request, so that its outcome is never half known.
``update`` and ``resolve`` set state and may be repeated: doing one twice leaves the same ticket as doing it once.

A power that not every tool has is a protocol of its own, checked structurally. How an unknown outcome is settled
depends on it: ``FindsByMarker`` is looked up, ``RepeatsSafely`` is sent again under the same marker, and what can do
neither is held for a person. To add a destination: one file with a class that meets ``TicketDestination``, its
settings, and its entry in ``config.py``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal, Protocol, runtime_checkable

from dagster_project.errors import DestinationError

Status = Literal["open", "resolved"]
ChangeKind = Literal["status", "assignee", "priority", "comment"]
Resolution = Literal["open", "resolved", "rejected"]
"""What a status comes to; *rejected*: there was nothing to mend ("not a bug"), or nobody will."""


@dataclass(frozen=True)
class Ticket:
    """What a destination is asked to hold, ready to send.

    ``note`` is a comment about the change since the last delivery (empty: no comment), ``note_key`` tells this change
    from every other (empty: the ticket is new), and ``reopens`` says that this system resolved the ticket before and
    takes that back. ``fields`` are further fields of the target's own, from the mapping in ``destinations.yml``.
    ``keeps_open`` leaves closing to people. ``sequence`` orders what is said of one issue at one destination, as text:
    later is greater.
    """

    issue_id: str
    marker: str
    title: str
    body: str
    status: Status
    priority: str
    owner: str
    labels: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    keeps_open: bool = False
    note: str = ""
    note_key: str = ""
    reopens: bool = False
    sequence: str = ""

    @property
    def closes(self) -> bool:
        """Whether the target's ticket is to be closed: its issue is over, and closing is not left to people."""
        return self.status == "resolved" and not self.keeps_open

    @cached_property
    def content_hash(self) -> str:
        """Identifies what the ticket says; the note about the change, and the place in the order, do not count."""
        still = replace(self, note="", note_key="", reopens=False, sequence="")
        return hashlib.sha256(still.as_json().encode()).hexdigest()

    def as_json(self) -> str:
        """The ticket as the ledger keeps it."""
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("fields", "keeps_open", "sequence"):
            if not content[name]:
                del content[name]  # so that a ticket without it keeps the hash it had before there was any
        return json.dumps(content, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Ticket:
        """The ticket that ``as_json`` wrote."""
        content = json.loads(text)
        pairs = tuple((name, value) for name, value in content.pop("fields", ()))
        return cls(**{**content, "labels": tuple(content["labels"]), "fields": pairs})


@dataclass(frozen=True)
class ExternalTicket:
    """A ticket as the tool has it; ``closed`` by whomever.

    ``content_hash`` is the hash that was sent with the text, for tools that keep it in a field beside the marker: their
    text comes back in another markup and cannot be compared.
    """

    external_id: str
    url: str
    title: str
    body: str
    closed: bool = False
    content_hash: str = ""

    def says(self, ticket: Ticket) -> bool:
        """Whether the tool holds what this ticket says, so that nothing has to be sent."""
        done = self.closed if ticket.closes else not (ticket.reopens and self.closed)
        if self.content_hash:
            return done and self.content_hash == ticket.content_hash
        return done and self.title == ticket.title and _same_text(self.body, ticket.body)


def marker_line(marker: str) -> str:
    """The marker as it stands in a ticket's body: on a line of its own, invisible when rendered."""
    return f"<!-- feedback-control:{marker} -->"


def carries(body: str, marker: str) -> bool:
    """Whether a ticket's body carries the marker; text that merely quotes it within a line does not count."""
    return marker_line(marker) in (line.strip() for line in body.splitlines())


def markers_in(text: str) -> list[str]:
    """The markers that stand in a text on lines of their own: whose ticket it is, or which comment is ours."""
    return _MARKER.findall(text)


def _same_text(one: str, other: str) -> bool:
    """Equal but for line endings and surrounding space, which some tools change."""
    return one.strip().splitlines() == other.strip().splitlines()


_MARKER = re.compile(r"^[ \t]*<!-- feedback-control:(\w+) -->[ \t\r]*$", re.MULTILINE)


@dataclass(frozen=True)
class TicketChange:
    """One thing that was done to one of our tickets, in the tool's own words; by a person, or ``by_program``.

    ``marker`` tells whose ticket it is, and ``change_id`` this change from every other. Of a status, ``resolution``
    says what it comes to. A comment's ``value`` is its text, not masked yet.
    """

    marker: str
    external_id: str
    kind: ChangeKind
    value: str
    occurred_at: datetime
    actor: str = ""
    previous: str | None = None
    resolution: Resolution | None = None
    change_id: str = ""
    by_program: bool = False


@dataclass(frozen=True)
class Confirmed:
    """The tool has it."""

    ticket: ExternalTicket


@dataclass(frozen=True)
class Rejected:
    """Refused for good; ``whole_destination`` when any other ticket would be refused the same way."""

    reason: str
    whole_destination: bool = False


@dataclass(frozen=True)
class Unknown:
    """Sent, and the answer was lost."""

    reason: str


@dataclass(frozen=True)
class NotSent:
    """Certainly not there: no connection was made."""

    reason: str


@dataclass(frozen=True)
class Deferred:
    """Certainly not there: the tool asked to wait this long."""

    reason: str
    wait: timedelta


Failure = Rejected | Unknown | NotSent | Deferred
Outcome = Confirmed | Failure


class DeliveryError(DestinationError):
    """A destination could not confirm; ``outcome`` says what is known."""

    def __init__(self, outcome: Failure) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


def outcome_of(call: Callable[[], ExternalTicket]) -> Outcome:
    """Make the call and classify what happened.

    Whatever a destination did not foresee counts as unknown: the request may have been sent before the error.
    """
    try:
        return Confirmed(call())
    except DeliveryError as error:
        return error.outcome
    except Exception as error:
        return Unknown(f"unforeseen {type(error).__name__}: {error}")


class TicketDestination(Protocol):
    """A tracker that tickets are kept in."""

    @property
    def name(self) -> str:
        """What the ledger knows it by; unique among the configured destinations."""
        ...

    @property
    def settle_seconds(self) -> float:
        """How long a write may stay invisible to ``find_by_marker``."""
        ...

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Open a ticket, with one request."""
        ...

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Make the ticket say this, add its note once, and leave what people changed."""
        ...

    def resolve(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """As ``update``, and close it unless somebody already has."""
        ...


@runtime_checkable
class FindsByMarker(Protocol):
    """A destination that can tell whether it has a ticket, without knowing its id."""

    def find_by_marker(self, marker: str, since: datetime | None = None) -> list[ExternalTicket]:
        """Every ticket with this marker, oldest first.

        By the strongest read that the tool offers: a listing, not a search index. ``since`` is an instant before which
        the ticket cannot have been written.
        """
        ...


@runtime_checkable
class RepeatsSafely(Protocol):
    """A destination whose target takes the same marker, and the same note key, only once.

    What is sent again there changes nothing, so an unknown outcome is settled by sending the same again after the
    settle time. What ``create`` returns says what was sent.
    """

    @property
    def repeats_safely(self) -> Literal[True]:
        """Always true; a destination without the power does not have the attribute."""
        ...


@runtime_checkable
class ReadsTicket(Protocol):
    """A destination that can read one ticket by its id: cheaper than a listing, when the id is known."""

    def read(self, external_id: str) -> ExternalTicket | None:
        """The ticket, or None if the tool no longer has it."""
        ...


@runtime_checkable
class TakesEvents(Protocol):
    """A destination that is told of events, and keeps no tickets: what becomes of tickets elsewhere is told there too.

    It takes an event's id only once, or leaves that to its consumers.
    """

    def tell(self, event: Mapping[str, Any]) -> None:
        """Hand a CloudEvent over; returns once it was taken, or raises ``DeliveryError``."""
        ...


@runtime_checkable
class ReportsChanges(Protocol):
    """A destination that can tell what people did to our tickets there."""

    def changes_since(self, since: datetime) -> Iterable[TicketChange]:
        """What was done since an instant to tickets that carry our marker; what was done before may come as well.

        Left out is what this system wrote itself, and what other programs commented. The same act comes the same each
        time.
        """
        ...


@runtime_checkable
class Closeable(Protocol):
    """A destination that holds connections, to be released after a run; it may be used again."""

    def close(self) -> None:
        """Release what is held."""
        ...

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

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

from dagster_project.automation.ticket import ExternalTicket, Ticket, TicketChange


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

    def deliver(self, event: Mapping[str, Any]) -> None:
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

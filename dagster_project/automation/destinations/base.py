"""Protocol of a destination: a tracker in which tickets are opened, updated and resolved.

A destination knows one tool and nothing of the ledger. Its methods return the ticket as the tool now has it, or raise
``DeliveryError`` with the outcome. The outcomes are the whole contract with ``tickets/delivery.py``:

    Confirmed   the tool has it
    Rejected    the tool refused it for good; the reason names the setting or ticket to fix
    Unknown     it was sent and the answer was lost: it may or may not be there. No retry before a look-up
    NotSent     no connection was made, so it is certainly not there
    Deferred    the tool asked to wait (rate limit); it is certainly not there

Two rules make exactly-once possible. ``create`` writes with one request, so that its outcome is never half known.
``update`` and ``resolve`` are idempotent: doing one twice leaves the same ticket as doing it once.

An optional power of a tool is a protocol of its own, checked structurally. It decides how an unknown outcome is
reconciled: ``FindsByMarker`` is looked up, and ``RepeatsSafely`` is retried under the same marker. Without either, or
where the retry is refused, the write is held for a person. To add a destination: one file with a class that meets
``TicketDestination``, its settings, and its entry in ``config.py`` (docs/destinations.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

from dagster_project.automation.ticket import ExternalTicket, Ticket, TicketChange


class TicketDestination(Protocol):
    """A tracker of tickets."""

    @property
    def name(self) -> str:
        """Its name in the ledger; unique among the configured destinations."""
        ...

    @property
    def settle_seconds(self) -> float:
        """The settle time: a write may stay invisible to ``find_by_marker`` for this long."""
        ...

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Open a ticket, with one request."""
        ...

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Set the ticket's content, add its note once, and leave people's changes alone."""
        ...

    def resolve(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """As ``update``, and close it unless somebody already has."""
        ...


@runtime_checkable
class FindsByMarker(Protocol):
    """A destination that finds a ticket by its marker, without knowing its id."""

    def find_by_marker(self, marker: str, since: datetime | None = None) -> list[ExternalTicket]:
        """Every ticket with this marker, oldest first.

        By the strongest read that the tool offers: a listing, not a search index. ``since`` is an instant before which
        the ticket cannot have been written.
        """
        ...


@runtime_checkable
class RepeatsSafely(Protocol):
    """A destination whose target deduplicates on the marker, and on the note key.

    A retry changes nothing there, so an unknown outcome is reconciled by a retry after the settle time. The ticket that
    ``create`` returns is the one that was sent.
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
class NamesMissing(Protocol):
    """A destination that can tell at next to no cost which tickets are gone; others would need a request for each."""

    def missing(self, markers: Mapping[str, str]) -> list[str]:
        """Those of these tickets (markers by id) that are gone, or carry their marker no longer."""
        ...


@runtime_checkable
class TakesEvents(Protocol):
    """An event sink: it keeps no tickets, and also gets the events about tickets at other destinations.

    It deduplicates on the event's id, or leaves that to its consumers.
    """

    def deliver(self, event: Mapping[str, Any]) -> None:
        """Hand a CloudEvent over; returns once it was taken, or raises ``DeliveryError``."""
        ...


@runtime_checkable
class ReportsChanges(Protocol):
    """A destination that reports the changes that people made to our tickets."""

    def changes_since(self, since: datetime) -> Iterable[TicketChange]:
        """The changes since an instant to tickets that carry our marker; earlier changes may be among them.

        Without our own writes and the comments of other programs. The same change has the same id each time.
        """
        ...


@runtime_checkable
class Closeable(Protocol):
    """A destination that holds connections, to be released after a run; it may be used again."""

    def close(self) -> None:
        """Release what is held."""
        ...

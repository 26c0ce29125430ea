"""What destinations for events have in common: they hold no tickets, and are told what becomes of issues.

An event that is told again keeps its id, and an id is taken once (by the sink, or by its consumers), so an unknown
outcome is settled by telling the same again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from dagster_project.automation.cloudevents import incident_event
from dagster_project.automation.ticket import ExternalTicket, Ticket


class EventSink(ABC):
    """A ticket destination whose tickets are events; ``place`` is where they go, as an address."""

    repeats_safely: Literal[True] = True
    place: str

    @abstractmethod
    def deliver(self, event: Mapping[str, Any]) -> None:
        """Hand an event over."""

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Say that the issue was detected."""
        return self._told("detected", ticket)

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Say what the issue is now."""
        return self._told("updated", ticket)

    def resolve(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Say that it is over."""
        return self._told("resolved" if ticket.closes else "updated", ticket)

    def _told(self, change: Literal["detected", "updated", "resolved"], ticket: Ticket) -> ExternalTicket:
        self.deliver(incident_event(change, ticket, datetime.now(UTC)))
        closed, said = change == "resolved", ticket.content_hash
        return ExternalTicket(ticket.marker, self.place, ticket.title, ticket.body, closed, said)

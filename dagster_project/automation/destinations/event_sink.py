"""Base of event sinks: a ticket for them is an event about its issue.

Event ids are stable and consumers deduplicate on them, so an unknown delivery is simply retried.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from dagster_project.automation.cloudevents import incident_event
from dagster_project.automation.ticket import ExternalTicket, Ticket


class EventSink(ABC):
    """A ticket destination whose tickets are events; ``place`` is their address."""

    repeats_safely: Literal[True] = True
    place: str

    @abstractmethod
    def deliver(self, event: Mapping[str, Any]) -> None:
        """Hand an event over."""

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Deliver the event that the issue was detected."""
        return self._delivered("detected", ticket)

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Deliver the event that the issue has changed."""
        return self._delivered("updated", ticket)

    def resolve(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Deliver the event that the issue is over."""
        return self._delivered("resolved" if ticket.closes else "updated", ticket)

    def _delivered(self, change: Literal["detected", "updated", "resolved"], ticket: Ticket) -> ExternalTicket:
        self.deliver(incident_event(change, ticket, datetime.now(UTC)))
        closed, said = change == "resolved", ticket.content_hash
        return ExternalTicket(ticket.marker, self.place, ticket.title, ticket.body, closed, said)

"""PagerDuty, by its Events API v2: a ticket is an alert, and pages whom the service says.

PagerDuty takes a ``dedup_key`` only once: the marker is that key, and sending the same again changes nothing. That is
all the proof there is, as the API cannot be asked; an unknown outcome is settled by repeating. What changed since the
last event stands in the details, because events carry no comments. The API names no address of an alert, so links lead
to the list of incidents.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

import httpx
from pydantic import BaseModel, Field

from dagster_project.automation import formats
from dagster_project.automation.destinations.base import (
    DeliveryError,
    ExternalTicket,
    Failure,
    Rejected,
    Ticket,
)
from dagster_project.automation.destinations.http import HttpTarget
from dagster_project.automation.destinations.settings import NAME, VARIABLE, HttpSettings, Priority
from dagster_project.home import Home

Severity = Literal["critical", "error", "warning", "info"]
SEVERITIES: dict[str, Severity] = {"P1": "critical", "P2": "error", "P3": "warning", "P4": "info"}
SUMMARY_LIMIT = 1_024
DETAILS_LIMIT = 60_000  # characters; an event may have 512 KB


class PagerDutySettings(HttpSettings):
    """A ``kind: pagerduty`` entry of destinations.yml; ``fields`` become further details of the alert."""

    kind: Literal["pagerduty"]
    name: str = Field("pagerduty", pattern=NAME)
    routing_key_env: str = Field("PAGERDUTY_ROUTING_KEY", pattern=VARIABLE)
    base_url: str = "https://events.pagerduty.com/v2"
    incidents_url: str = "https://app.pagerduty.com/incidents"
    severities: dict[Priority, Severity] = Field(default_factory=dict)  # where they differ from SEVERITIES

    def build(self, home: Home) -> PagerDuty:
        """The destination."""
        return PagerDuty(self)


class _Accepted(BaseModel):
    status: Literal["success"]
    dedup_key: str


class PagerDuty:
    """The alerts of one PagerDuty service."""

    repeats_safely: Literal[True] = True

    def __init__(self, settings: PagerDutySettings, *, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings
        self._http = HttpTarget(
            base_url=settings.base_url,
            headers=lambda: {"User-Agent": "feedback-control"},
            secrets=lambda: [key] if (key := self._key()) else [],
            refusal=self._refusal,
            timeout_seconds=settings.timeout_seconds,
            pace_seconds=settings.pace_seconds,
            transport=transport,
        )

    @property
    def name(self) -> str:
        """As configured."""
        return self._settings.name

    @property
    def settle_seconds(self) -> float:
        """As configured."""
        return self._settings.settle_seconds

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Trigger the alert."""
        return self._sent("trigger", ticket)

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Trigger it again: the same alert, with these details."""
        return self._sent("trigger", ticket)

    def resolve(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Resolve it, unless that is left to people."""
        return self._sent("resolve" if ticket.closes else "trigger", ticket)

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def _sent(self, action: str, ticket: Ticket) -> ExternalTicket:
        key = self._key()
        if not key:
            reason = f"environment variable {self._settings.routing_key_env} is not set; put an integration key there"
            raise DeliveryError(Rejected(reason, whole_destination=True))
        event: dict[str, Any] = {"routing_key": key, "event_action": action, "dedup_key": ticket.marker}
        if action == "trigger":
            event |= {"client": "feedback-control", "payload": self._payload(ticket)}
        self._http.write("POST", "/enqueue", event, _Accepted)
        return ExternalTicket(
            ticket.marker,
            self._settings.incidents_url,
            ticket.title,
            ticket.body,
            closed=action == "resolve",
            content_hash=ticket.content_hash,
        )

    def _payload(self, ticket: Ticket) -> dict[str, Any]:
        latest = {"latest change": ticket.note} if ticket.note else {}
        return {
            "summary": ticket.title[:SUMMARY_LIMIT],
            "source": f"feedback-control issue {ticket.issue_id}",
            "severity": _severity(ticket, self._settings.severities),
            "custom_details": {
                **dict(ticket.fields),
                **latest,
                "owner": ticket.owner,
                "labels": ", ".join(ticket.labels),
                "brief": formats.plain(ticket.body, DETAILS_LIMIT),
            },
        }

    def _key(self) -> str:
        return os.environ.get(self._settings.routing_key_env, "").strip()

    def _refusal(self, response: httpx.Response) -> Failure | None:
        said = f"answered {response.status_code} ({self._http.message(response)})"
        variable = self._settings.routing_key_env
        if response.status_code in (401, 403) or (response.status_code == 400 and "routing_key" in response.text):
            reason = f"{said}; the integration key in {variable} is wrong: copy it from the service's Events API v2"
            return Rejected(reason, whole_destination=True)
        if response.status_code == 404:
            return Rejected(f"{said}; there is no Events API there: check base_url", whole_destination=True)
        return None


def _severity(ticket: Ticket, chosen: Mapping[Priority, Severity]) -> Severity:
    return next((own for priority, own in chosen.items() if priority == ticket.priority), SEVERITIES[ticket.priority])

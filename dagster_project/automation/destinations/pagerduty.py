"""PagerDuty, by its Events API v2: a ticket is an alert of the service's on-call.

PagerDuty deduplicates on ``dedup_key``: the marker is that key, so a retry changes nothing. The API has no look-up; an
unknown outcome is reconciled by the retry. The note about a change is in the details, because events carry no comments.
The API has no address of an alert, so links lead to the list of incidents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import httpx
from pydantic import BaseModel, Field

from dagster_project.automation.destinations.http import HttpDestination
from dagster_project.automation.destinations.settings import NAME, VARIABLE, HttpSettings, Priority
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import Failure, Rejected
from dagster_project.automation.text import markup
from dagster_project.automation.ticket import ExternalTicket, Ticket
from dagster_project.home import Home

Severity = Literal["critical", "error", "warning", "info"]
SEVERITIES: dict[str, Severity] = {"P1": "critical", "P2": "error", "P3": "warning", "P4": "info"}
SUMMARY_LIMIT = 1_024
DETAILS_LIMIT = 60_000  # characters; an event may have 512 KB


class PagerDutySettings(HttpSettings):
    """A ``kind: pagerduty`` entry of destinations.yml; ``fields`` become further details of the alert."""

    PLACE: ClassVar[tuple[str, ...]] = ("base_url", "routing_key_env")

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


class PagerDuty(HttpDestination):
    """The alerts of one PagerDuty service."""

    repeats_safely: Literal[True] = True

    def __init__(self, settings: PagerDutySettings, *, transport: httpx.BaseTransport | None = None) -> None:
        secret = Secret(settings.routing_key_env, "an integration key of the service's Events API v2")
        super().__init__(settings, secret, transport=transport)
        self._settings = settings

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Trigger the alert."""
        return self._sent("trigger", ticket)

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Trigger it again: the same alert, with these details."""
        return self._sent("trigger", ticket)

    def resolve(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Resolve it, unless that is left to people."""
        return self._sent("resolve" if ticket.closes else "trigger", ticket)

    def _sent(self, action: str, ticket: Ticket) -> ExternalTicket:
        event: dict[str, Any] = {
            "routing_key": self._secret.value(),
            "event_action": action,
            "dedup_key": ticket.marker,
        }
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
                "brief": markup.plain(ticket.body, DETAILS_LIMIT),
            },
        }

    def _headers(self) -> Mapping[str, str]:
        return {}  # the key travels in the event

    def _refusal(self, response: httpx.Response) -> Failure | None:
        said = self._said(response)
        variable = self._settings.routing_key_env
        if response.status_code in (401, 403) or (response.status_code == 400 and "routing_key" in response.text):
            reason = f"{said}; the integration key in {variable} is wrong: copy it from the service's Events API v2"
            return Rejected(reason, whole_destination=True)
        if response.status_code == 404:
            return Rejected(f"{said}; there is no Events API there: check base_url", whole_destination=True)
        return None


def _severity(ticket: Ticket, chosen: Mapping[Priority, Severity]) -> Severity:
    return next((own for priority, own in chosen.items() if priority == ticket.priority), SEVERITIES[ticket.priority])

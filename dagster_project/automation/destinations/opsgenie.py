"""Opsgenie alerts, by the Alert API v2.

One ticket is one alert, and the marker is its alias: while an alert is open, Opsgenie deduplicates on the alias. A
request is accepted first and processed a moment later, so a look-up reads the alert itself, by its alias. A closed
alert cannot be changed; an issue that comes back is a new alert under the same alias.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

import httpx
from pydantic import BaseModel, Field

from dagster_project.automation.destinations.http import HttpDestination, missing
from dagster_project.automation.destinations.settings import NAME, VARIABLE, HttpSettings
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import DeliveryError, Failure, Rejected
from dagster_project.automation.text import markup
from dagster_project.automation.ticket import ExternalTicket, Ticket
from dagster_project.home import Home

MESSAGE_LIMIT = 130
DESCRIPTION_LIMIT = 15_000
NOTES_READ = 100
_HASH = "feedback_control_hash"
_BY_ALIAS = "?identifierType=alias"
_ONE_ALERT = re.compile(r"/alerts/[0-9a-f]{24}")


class OpsgenieSettings(HttpSettings):
    """A ``kind: opsgenie`` entry of destinations.yml; ``fields`` become further details of the alert.

    In the EU, ``base_url`` is https://api.eu.opsgenie.com. ``team`` is alerted; without one, the integration's own.
    """

    PLACE: ClassVar[tuple[str, ...]] = ("base_url", "api_key_env")

    kind: Literal["opsgenie"]
    name: str = Field("opsgenie", pattern=NAME)
    api_key_env: str = Field("OPSGENIE_API_KEY", pattern=VARIABLE)
    base_url: str = "https://api.opsgenie.com"
    alerts_url: str = "https://app.opsgenie.com/alert/list"
    team: str | None = None

    def build(self, home: Home) -> Opsgenie:
        """The destination."""
        return Opsgenie(self)


class _Accepted(BaseModel):
    request_id: str = Field(alias="requestId")


class _Alert(BaseModel):
    message: str
    status: Literal["open", "closed"]
    details: dict[str, str] = {}


class _One(BaseModel):
    data: _Alert


class _Note(BaseModel):
    note: str = ""


class _Notes(BaseModel):
    data: list[_Note]


class Opsgenie(HttpDestination):
    """The alerts of one Opsgenie integration as a ticket destination."""

    def __init__(self, settings: OpsgenieSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        secret = Secret(settings.api_key_env, "the key of an API integration with the right to create and update")
        super().__init__(settings, secret, transport=transport)
        self._settings = settings

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Open the alert, alias and all, in one request."""
        team = self._settings.team
        body = {
            "alias": ticket.marker,
            **_content(ticket),
            "priority": ticket.priority,
            "tags": list(ticket.labels)[:20],
            "details": {**dict(ticket.fields), **_details(ticket)},
            "source": "feedback-control",
            **({"responders": [{"type": "team", "name": team}]} if team else {}),
            **({"note": ticket.note} if ticket.note else {}),
        }
        self._http.write("POST", "/v2/alerts", body, _Accepted)
        return self._external(ticket.marker, ticket.title, closed=False, content_hash=ticket.content_hash)

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Set the alert's content, after a comment if the ticket has a note; the hash goes last."""
        present = self._read(external_id)
        if present.status == "closed":
            return self.create(ticket) if ticket.reopens else self._seen(external_id, present)
        alert = f"/v2/alerts/{external_id}"
        if ticket.note:
            self._note_once(alert, ticket)
            self._http.send("PUT", f"{alert}/priority{_BY_ALIAS}", {"priority": ticket.priority})
        for name, text in _content(ticket).items():
            self._http.send("PUT", f"{alert}/{name}{_BY_ALIAS}", {name: text})
        self._http.send("POST", f"{alert}/details{_BY_ALIAS}", {"details": _details(ticket)})
        if ticket.closes:
            self._http.send("POST", f"{alert}/close{_BY_ALIAS}", {"source": "feedback-control"})
        return self._external(external_id, ticket.title, closed=ticket.closes, content_hash=ticket.content_hash)

    resolve = update

    def read(self, external_id: str) -> ExternalTicket | None:
        """The alert by its alias; None if it was deleted."""
        try:
            return self._seen(external_id, self._read(external_id))
        except DeliveryError as error:
            if missing(error):
                return None
            raise

    def find_by_marker(self, marker: str, since: datetime | None = None) -> list[ExternalTicket]:
        """The alert with the alias: the open one, or the last that was closed."""
        found = self.read(marker)
        return [found] if found else []

    def _note_once(self, alert: str, ticket: Ticket) -> None:
        reference = f"(feedback-control {ticket.note_key})"
        asked: dict[str, str | int] = {"identifierType": "alias", "order": "desc", "limit": NOTES_READ}
        notes = self._http.read(f"{alert}/notes", _Notes, **asked)[0].data
        if not any(reference in one.note for one in notes):
            body = {"note": f"{ticket.note} {reference}", "source": "feedback-control"}
            self._http.send("POST", f"{alert}/notes{_BY_ALIAS}", body)

    def _read(self, alias: str) -> _Alert:
        return self._http.read(f"/v2/alerts/{alias}", _One, identifierType="alias")[0].data

    def _seen(self, alias: str, alert: _Alert) -> ExternalTicket:
        sent = alert.details.get(_HASH, "")
        return self._external(alias, alert.message, closed=alert.status == "closed", content_hash=sent)

    def _external(self, alias: str, title: str, *, closed: bool, content_hash: str) -> ExternalTicket:
        url = f"{self._settings.alerts_url}?query=alias%3A{alias}"
        return ExternalTicket(alias, url, title, "", closed, content_hash)

    def _headers(self) -> Mapping[str, str]:
        return {"Authorization": f"GenieKey {self._secret.value()}"}

    def _refusal(self, response: httpx.Response) -> Failure | None:
        said, variable = self._said(response), self._settings.api_key_env
        match response.status_code:
            case 402 | 403:
                reason = (
                    f"{said}; give the integration whose key is in {variable} the right to create and update alerts"
                )
                return Rejected(reason, whole_destination=True)
            case 404 if _ONE_ALERT.search(response.request.url.path):
                return Rejected(f"{said}; the alert was deleted")
            case 404:
                reason = f"{said}; there is no Alert API there: check base_url (the EU has one of its own)"
                return Rejected(reason, whole_destination=True)
            case 422 if "responders" in response.text or "team" in response.text:
                return Rejected(f"{said}; there is no team {self._settings.team}: check team", whole_destination=True)
        return super()._refusal(response)


def _content(ticket: Ticket) -> dict[str, Any]:
    return {
        "message": ticket.title[:MESSAGE_LIMIT],
        "description": markup.plain(ticket.body, DESCRIPTION_LIMIT),
    }


def _details(ticket: Ticket) -> dict[str, str]:
    return {"owner": ticket.owner, _HASH: ticket.content_hash}

"""Roundup as a destination: one file and no other change, as docs/destinations.md promises. Not shipped.

It needs a tracker whose class ``issue`` has four more columns: ``marker``, ``hash``, ``text`` and ``notes``
(``roundup_server.py`` makes such a one). What there is to say of an issue is one request, guarded by the version read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import httpx
from pydantic import BaseModel, Field

from dagster_project.automation.destinations.http import HttpDestination, missing
from dagster_project.automation.destinations.settings import NAME, VARIABLE, HttpSettings
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import DeliveryError, Failure, Rejected
from dagster_project.automation.text import markup
from dagster_project.automation.ticket import ExternalTicket, Ticket
from dagster_project.home import Home

OPEN, RESOLVED = "1", "8"  # what the classic template calls unread and resolved
_CHANGED = "changed by somebody else meanwhile"
_COLUMNS = "title,status,marker,hash,text,notes"


class RoundupSettings(HttpSettings):
    """A ``kind: roundup`` entry of destinations.yml; ``base_url`` ends with ``/rest``."""

    kind: Literal["roundup"] = "roundup"
    name: str = Field("roundup", pattern=NAME)
    user: str
    password_env: str = Field("ROUNDUP_PASSWORD", pattern=VARIABLE)

    def build(self, home: Home) -> Roundup:
        """The destination."""
        return Roundup(self)


class _Link(BaseModel):
    id: str


class _Columns(BaseModel):  # what of an issue is read; columns that were never set are null
    title: str
    status: _Link
    hash: str | None
    text: str | None
    notes: str | None


class _Listed(_Columns):
    id: str


class _One(BaseModel):
    id: str
    attributes: _Columns
    etag: str = Field(alias="@etag")


class _Issue(BaseModel):
    data: _One


class _Page(BaseModel):
    collection: list[_Listed]


class _Issues(BaseModel):
    data: _Page


class _Id(BaseModel):
    id: str


class _Created(BaseModel):
    data: _Id


class Roundup(HttpDestination):
    """The issues of one Roundup tracker as a ticket destination."""

    def __init__(self, settings: RoundupSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        secret = Secret(settings.password_env, f"the password of {settings.user}", user=settings.user)
        super().__init__(settings, secret, transport=transport)
        self._place = settings.base_url.removesuffix("/rest")

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Open the issue."""
        body = {"marker": ticket.marker, "status": OPEN, **self._content(ticket)}
        number = self._http.write("POST", "/data/issue", body, _Created).data.id
        return self._external(number, ticket, closed=False)

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Set what the issue says, its note and its state in one request; again, if somebody changed it meanwhile."""
        for _ in range(3):
            try:
                return self._set(external_id, ticket)
            except DeliveryError as error:
                if _CHANGED not in error.outcome.reason:
                    raise
        raise DeliveryError(Rejected(f"issue {external_id} is {_CHANGED}, over and over"))

    resolve = update

    def read(self, external_id: str) -> ExternalTicket | None:
        """The issue by its id."""
        try:
            found = self._http.read(f"/data/issue/{external_id}", _Issue)[0].data
        except DeliveryError as error:
            if missing(error):
                return None
            raise
        return self._seen(external_id, found.attributes)

    def find_by_marker(self, marker: str, since: datetime | None = None) -> list[ExternalTicket]:
        """Every issue with the marker."""
        asked = {"marker:": marker, "@fields": _COLUMNS, "@sort": "id"}
        found = self._http.read("/data/issue", _Issues, **asked)[0].data.collection
        return [self._seen(one.id, one) for one in found]

    def _set(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        present = self._http.read(f"/data/issue/{external_id}", _Issue)[0].data
        columns, body = present.attributes, {"@etag": present.etag, **self._content(ticket)}
        was_closed = columns.status.id == RESOLVED
        if ticket.note and ticket.note_key not in (columns.notes or ""):
            body["notes"] = "\n".join(filter(None, [columns.notes, f"{ticket.note} [{ticket.note_key}]"]))
        if ticket.closes is not was_closed and (ticket.closes or ticket.reopens):
            body["status"] = RESOLVED if ticket.closes else OPEN
        self._http.send("PUT", f"/data/issue/{external_id}", body)
        return self._external(external_id, ticket, closed=body.get("status", columns.status.id) == RESOLVED)

    def _content(self, ticket: Ticket) -> dict[str, str]:
        return {"title": ticket.title, "text": markup.plain(ticket.body, 60_000), "hash": ticket.content_hash}

    def _seen(self, number: str, issue: _Columns) -> ExternalTicket:
        closed, said = issue.status.id == RESOLVED, issue.hash or ""
        return ExternalTicket(number, f"{self._place}/issue{number}", issue.title, issue.text or "", closed, said)

    def _external(self, number: str, ticket: Ticket, *, closed: bool) -> ExternalTicket:
        url = f"{self._place}/issue{number}"
        return ExternalTicket(number, url, ticket.title, ticket.body, closed, ticket.content_hash)

    def _headers(self) -> Mapping[str, str]:
        # Against forged requests Roundup asks for these, of browsers and of programs alike.
        origin = str(httpx.URL(self._place).join("/")).rstrip("/")
        ours = {"X-Requested-With": "feedback-control", "Origin": origin}
        return {"Authorization": self._secret.basic(), "Accept": "application/json", **ours}

    def _refusal(self, response: httpx.Response) -> Failure | None:
        if response.status_code == 412:
            return Rejected(_CHANGED)
        if response.status_code == 403:
            user = self._secret.user
            return Rejected(f"{self._said(response)}; {user} has no right to write issues", whole_destination=True)
        return super()._refusal(response)

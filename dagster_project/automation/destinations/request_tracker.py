"""Request Tracker 5, by its REST 2 API.

One ticket is one RT ticket. Marker and content hash are in one custom field of the queue. RT opens a ticket also
without the field, so the field is looked for first. The text of an RT ticket is history and cannot be rewritten: a
material change is a comment with the new brief, sent in one request with the field and the status; any other change
sets subject and field only. People's changes are read from the histories of those of our tickets that were updated.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import httpx
from pydantic import BaseModel, Field

from dagster_project.automation.destinations.http import HttpDestination, missing
from dagster_project.automation.destinations.resolutions import may_be_ours, resolution_of
from dagster_project.automation.destinations.settings import NAME, VARIABLE, HttpSettings
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import DeliveryError, Failure, NotSent, Rejected
from dagster_project.automation.text import markup
from dagster_project.automation.ticket import ChangeKind, ExternalTicket, Resolution, Ticket, TicketChange
from dagster_project.home import Home

SUBJECT_LIMIT = 200
_URGENCY = {"P1": "100", "P2": "75", "P3": "50", "P4": "25"}  # RT's own scale ends at 100
_PAGE, _MOST_PAGES = 100, 1000
_ZONES = timedelta(hours=12)
"""Margin of a query by date: the tool reads dates in the account's time zone, which is not known here."""
_KINDS: dict[str, ChangeKind] = {"Status": "status", "Owner": "assignee", "Priority": "priority"}
_NOBODY, _SYSTEM = "Nobody", "RT_System"
_TAG = re.compile(r"<[^<>]*>")
_ONE_TICKET = re.compile(r"/ticket/\d+")


class RequestTrackerSettings(HttpSettings):
    """A ``kind: request_tracker`` entry of destinations.yml; ``base_url`` is where RT's own pages start.

    ``custom_field`` holds the marker: a field for one line of text, applied to the queue, that the token's user may see
    and change. ``fields`` fills further custom fields.
    """

    PLACE: ClassVar[tuple[str, ...]] = ("base_url", "queue")

    kind: Literal["request_tracker"]
    name: str = Field("request_tracker", pattern=NAME)
    queue: str = Field(min_length=1)
    token_env: str = Field("RT_TOKEN", pattern=VARIABLE)
    custom_field: str = Field("feedback-control", pattern=r"^[^{}'\"]+$")
    resolved_status: str = "resolved"
    reopened_status: str = "open"
    closed_statuses: tuple[str, ...] = ("resolved", "rejected", "deleted")

    def build(self, home: Home) -> RequestTracker:
        """The destination."""
        return RequestTracker(self)


class _Opened(BaseModel):
    id: str


class _CustomField(BaseModel):
    name: str
    values: list[str | None] = []


class _Ticket(BaseModel):
    id: str | int
    subject: str = Field(alias="Subject")
    status: str = Field(alias="Status")
    custom_fields: list[_CustomField] = Field([], alias="CustomFields")


class _User(BaseModel):
    id: str = ""


class _Changed(_Ticket):
    subject: str = Field("", alias="Subject")
    creator: _User = Field(alias="Creator")
    owner: _User = Field(_User(), alias="Owner")


class _ChangedTickets(BaseModel):
    items: list[_Changed]


class _Transaction(BaseModel):
    id: str | int
    kind: str = Field(alias="Type")
    field: str = Field("", alias="Field")
    before: str | None = Field("", alias="OldValue")
    after: str | None = Field("", alias="NewValue")
    creator: _User = Field(alias="Creator")
    created: datetime = Field(alias="Created")


class _History(BaseModel):
    items: list[_Transaction]


class _Attachment(BaseModel):
    kind: str = Field("", alias="ContentType")
    content: str | None = Field(None, alias="Content")


class _Attachments(BaseModel):
    items: list[_Attachment]


class _Found(BaseModel):
    items: list[_Ticket]


class _Queue(BaseModel):
    fields: list[_CustomField] = Field([], alias="TicketCustomFields")


class RequestTracker(HttpDestination):
    """The tickets of one queue as a ticket destination."""

    def __init__(self, settings: RequestTrackerSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        super().__init__(settings, Secret(settings.token_env, "an authentication token of RT"), transport=transport)
        self._settings = settings
        self._can_mark = False

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Open the ticket, marker and all, in one request."""
        self._check_the_field()
        body = {
            "Queue": self._settings.queue,
            "Subject": ticket.title[:SUBJECT_LIMIT],
            "Content": markup.html(ticket.body),
            "ContentType": "text/html",
            "Priority": _URGENCY[ticket.priority],
            "CustomFields": {**dict(ticket.fields), **self._mark(ticket)},
        }
        number = self._http.write("POST", "/REST/2.0/ticket", body, _Opened).id
        return self._external(number, ticket.title, closed=False, content_hash=ticket.content_hash)

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Bring subject, fields and status up to date, commenting where there is news; the hash goes last."""
        present, path = self._read(external_id), f"/REST/2.0/ticket/{external_id}"
        subject = {"Subject": ticket.title[:SUBJECT_LIMIT]}
        last = {
            "CustomFields": {**dict(ticket.fields), **self._mark(ticket)},
            **self._status(ticket, closed=present.status in self._settings.closed_statuses),
        }
        if ticket.note and self._seen(present).content_hash != ticket.content_hash:
            self._http.send("PUT", path, {**subject, "Priority": _URGENCY[ticket.priority]})
            content = markup.html(f"**{ticket.note}**\n\n{ticket.body}")
            self._http.send("POST", f"{path}/comment", {"Content": content, "ContentType": "text/html", **last})
        else:
            self._http.send("PUT", path, {**subject, **last})
        seen = self._seen(self._read(external_id))  # RT answers 200 where it changed only a part
        if not seen.says(ticket):
            reason = f"RT did not take the change of ticket {external_id}; let the token's user modify its fields"
            raise DeliveryError(Rejected(f"{reason} and its status"))
        return seen

    resolve = update

    def read(self, external_id: str) -> ExternalTicket | None:
        """The ticket by its number; None if it is not there."""
        try:
            return self._seen(self._read(external_id))
        except DeliveryError as error:
            if missing(error):
                return None
            raise

    def find_by_marker(self, marker: str, since: datetime | None = None) -> list[ExternalTicket]:
        """Every ticket with the marker in its field, wherever it was moved, oldest first."""
        asked: dict[str, str | int] = {
            "query": f"CF.{{{self._settings.custom_field}}} LIKE '{marker}:'",
            "fields": "Subject,Status,CustomFields",
            "orderby": "id",
            "per_page": 100,
        }
        return [self._seen(one) for one in self._http.read("/REST/2.0/tickets", _Found, **asked)[0].items]

    def changes_since(self, since: datetime) -> Iterable[TicketChange]:
        """Others' changes to tickets with our field that were updated since then, in any queue."""
        begin = f"{since - _ZONES:%Y-%m-%d %H:%M:%S}"
        asked: dict[str, str | int] = {
            "query": f"CF.{{{self._settings.custom_field}}} LIKE ':' AND LastUpdated > '{begin}'",
            "fields": "Status,Owner,Creator,CustomFields",
            "orderby": "id",
        }
        for ticket in self._listed("/REST/2.0/tickets", _ChangedTickets, asked):
            marker = self._marked(ticket).partition(":")[0]
            path = f"/REST/2.0/ticket/{ticket.id}/history"
            fields = {"fields": "Type,Field,OldValue,NewValue,Creator,Created"}
            history = list(self._listed(path, _History, fields))
            owned = max((one.id for one in history if one.kind == "Set" and one.field == "Owner"), key=int, default="")
            for one in history:
                if one.created >= since and (change := self._change_of(ticket, marker, one, is_last=one.id == owned)):
                    yield change

    def _change_of(self, ticket: _Changed, marker: str, one: _Transaction, *, is_last: bool) -> TicketChange | None:
        """The change in a transaction; None for our own, and for transactions of no kind of ours."""
        ours, by_program = one.creator == ticket.creator, one.creator.id == _SYSTEM  # whoever opened it is us
        if one.kind in ("Comment", "Correspond"):
            if ours or by_program:
                return None
            said = self._words_of(one)
            at, by = one.created, one.creator.id
            return TicketChange(marker, str(ticket.id), "comment", said, at, by, change_id=str(one.id))
        kind = _KINDS.get(one.field) if one.kind in ("Set", "Status") else None
        value, before = one.after or "", one.before or ""
        if kind == "assignee":  # the history has the number; only the present name is known
            name = "" if ticket.owner.id == _NOBODY else ticket.owner.id
            value, before = name if is_last else f"user {value}", ""
        resolution = self._resolution(value) if kind == "status" else None
        if kind is None or (ours and may_be_ours(kind, resolution)):
            return None
        who = (one.created, one.creator.id, before or None, resolution, str(one.id), by_program)
        return TicketChange(marker, str(ticket.id), kind, value, *who)

    def _resolution(self, status: str) -> Resolution:
        return resolution_of(status) if status in self._settings.closed_statuses else "open"

    def _words_of(self, one: _Transaction) -> str:
        path = f"/REST/2.0/transaction/{one.id}/attachments"
        parts = self._http.read(path, _Attachments, fields="ContentType,Content")[0].items
        for part in parts:
            if part.content and part.kind == "text/html":
                return html.unescape(_TAG.sub(" ", part.content)).strip()
            if part.content and part.kind.startswith("text/"):
                return part.content
        return ""

    def _listed(self, path: str, kind: type[Any], asked: Mapping[str, str | int]) -> Iterator[Any]:
        for page in range(1, _MOST_PAGES + 1):
            items = self._http.read(path, kind, **asked, per_page=_PAGE, page=page)[0].items
            yield from items
            if len(items) < _PAGE:
                return
        raise DeliveryError(NotSent(f"the list at {path} has no end; check base_url"))

    def _status(self, ticket: Ticket, *, closed: bool) -> dict[str, str]:
        if ticket.closes and not closed:
            return {"Status": self._settings.resolved_status}
        if ticket.reopens and closed:
            return {"Status": self._settings.reopened_status}
        return {}

    def _check_the_field(self) -> None:
        if self._can_mark:
            return
        settings = self._settings
        queue = self._http.read(f"/REST/2.0/queue/{quote(settings.queue, safe='')}", _Queue)[0]
        if not any(field.name == settings.custom_field for field in queue.fields):
            reason = (
                f"queue {settings.queue} has no custom field '{settings.custom_field}' that the token's user may see"
            )
            reason += ": make one for one line of text and apply it to the queue, or check custom_field"
            raise DeliveryError(Rejected(reason, whole_destination=True))
        self._can_mark = True

    def _mark(self, ticket: Ticket) -> dict[str, str]:
        return {self._settings.custom_field: f"{ticket.marker}:{ticket.content_hash}"}

    def _read(self, number: str) -> _Ticket:
        return self._http.read(f"/REST/2.0/ticket/{number}", _Ticket)[0]

    def _marked(self, ticket: _Ticket) -> str:
        own = (field for field in ticket.custom_fields if field.name == self._settings.custom_field)
        return next((value for field in own for value in field.values if value), "")

    def _seen(self, ticket: _Ticket) -> ExternalTicket:
        mark = self._marked(ticket)
        closed = ticket.status in self._settings.closed_statuses
        return self._external(str(ticket.id), ticket.subject, closed=closed, content_hash=mark.partition(":")[2])

    def _external(self, number: str, title: str, *, closed: bool, content_hash: str) -> ExternalTicket:
        url = f"{self._settings.base_url.rstrip('/')}/Ticket/Display.html?id={number}"
        return ExternalTicket(number, url, title, "", closed, content_hash)

    def _headers(self) -> Mapping[str, str]:
        return {"Authorization": f"token {self._secret.value()}"}

    def _refusal(self, response: httpx.Response) -> Failure | None:
        said, settings = self._said(response), self._settings
        one_ticket = bool(_ONE_TICKET.search(response.request.url.path))
        match response.status_code:
            case 400 | 403 | 404 if one_ticket:
                return Rejected(f"{said}; the ticket was deleted, or the token's user may not change it")
            case 403:
                reason = f"{said}; there is no queue {settings.queue}, or the token's user has no right to see it and"
                return Rejected(f"{reason} to open tickets in it: check queue", whole_destination=True)
            case 404:
                return Rejected(f"{said}; there is no REST 2 API there: check base_url", whole_destination=True)
        return super()._refusal(response)

"""Jira Cloud, by its REST API v3.

One ticket is one Jira issue, opened by a single POST. The marker is a label of its own, which JQL finds; an issue
property keeps the content hash, because Jira's document format cannot be compared with ours. Jira's search lags behind
its writes, by minutes at worst, so the settle time is longer here. Closing and reopening take the transition of the
project's own workflow that leads there. Other labels, the assignee, a priority that people chose and an issue that a
person closed are left alone. People's changes are read from the changelogs and comments of those of our issues that
were updated (``jira_changes.py``).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

import httpx
from pydantic import BaseModel, Field, field_validator

from dagster_project.automation.destinations.http import HttpDestination, missing
from dagster_project.automation.destinations.jira_changes import (
    REFERENCE,
    Changed,
    ChangedPage,
    Histories,
    History,
    Remarks,
    acts,
    comment,
)
from dagster_project.automation.destinations.settings import NAME, VARIABLE, HttpSettings, Priority
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import DeliveryError, Failure, NotSent, Rejected
from dagster_project.automation.text import markup
from dagster_project.automation.ticket import ExternalTicket, Ticket, TicketChange
from dagster_project.home import Home

SUMMARY_LIMIT = 255
DESCRIPTION_LIMIT = 30_000  # a field may have 32,767 characters, and markup counts
PROPERTY = REFERENCE
_OURS = re.compile(r"(?:priority|type|product):")
_ONE_ISSUE = re.compile(r"/issue/[^/]+")
_MOST_PAGES = 100


class JiraSettings(HttpSettings):
    """A ``kind: jira`` entry of destinations.yml.

    ``fields`` fills fields by their id (``customfield_10042``); a value that is JSON is sent as JSON. Priorities are
    sent only where ``priority_names`` says what they are called, as not every project has them. ``done_transition``
    names the transition that closes an issue, where several do.
    """

    PLACE: ClassVar[tuple[str, ...]] = ("base_url", "project")

    kind: Literal["jira"]
    name: str = Field("jira", pattern=NAME)
    project: str = Field(pattern=r"^[A-Z][A-Z0-9_]+$")
    issue_type: str = "Bug"
    user: str = Field(min_length=3)
    token_env: str = Field("JIRA_TOKEN", pattern=VARIABLE)
    settle_seconds: float = Field(300, ge=0, le=3600)
    priority_names: dict[Priority, str] = Field(default_factory=dict)
    done_transition: str | None = None

    @field_validator("fields")
    @classmethod
    def _leaves_ours_alone(cls, value: dict[str, str]) -> dict[str, str]:
        if taken := sorted({"summary", "description", "labels", "project", "issuetype"} & set(value)):
            raise ValueError(f"'{taken[0]}' is filled by feedback-control itself; remove it here")
        return value

    def build(self, home: Home) -> Jira:
        """The destination."""
        return Jira(self)


class _Category(BaseModel):
    key: str


class _Status(BaseModel):
    category: _Category = Field(alias="statusCategory")


class _Fields(BaseModel):
    summary: str
    status: _Status
    labels: list[str] = []


class _Sent(BaseModel):
    content_hash: str = ""


class _Issue(BaseModel):
    key: str
    fields: _Fields
    properties: dict[str, _Sent] = {}


class _Opened(BaseModel):
    key: str


class _Page(BaseModel):
    issues: list[_Issue]
    next_page: str | None = Field(None, alias="nextPageToken")


class _Transition(BaseModel):
    id: str
    name: str
    to: _Status

    @property
    def closes(self) -> bool:
        return self.to.category.key == "done"


class _Transitions(BaseModel):
    transitions: list[_Transition]


class _Comment(BaseModel):
    body: Any = None


class Jira(HttpDestination):
    """The issues of one Jira project as a ticket destination."""

    def __init__(self, settings: JiraSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        secret = Secret(settings.token_env, f"an API token of {settings.user}", user=settings.user)
        super().__init__(settings, secret, transport=transport)
        self._settings = settings

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Open the issue, marker and all, in one request."""
        fields = {
            **self._content(ticket),
            **self._priority(ticket),
            "project": {"key": self._settings.project},
            "issuetype": {"name": self._settings.issue_type},
            "labels": [_label_of(ticket.marker), *_labels(ticket)],
        }
        body = {"fields": fields, "properties": [_property(ticket)]}
        key = self._http.write("POST", "/rest/api/3/issue", body, _Opened).key
        return self._external(key, ticket.title, closed=False, content_hash=ticket.content_hash)

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Set text, fields and our labels, after a comment if the ticket has a note."""
        present = self._read(external_id)
        if ticket.note:
            self._comment_once(external_id, ticket)
        labels = _labels(ticket)
        stale = [label for label in present.fields.labels if _OURS.match(label) and label not in labels]
        body = {
            "fields": self._content(ticket) | (self._priority(ticket) if ticket.note else {}),
            "update": {"labels": [{"add": label} for label in labels] + [{"remove": label} for label in stale]},
            "properties": [_property(ticket)],
        }
        self._http.send("PUT", f"/rest/api/3/issue/{external_id}", body)
        closed = present.fields.status.category.key == "done"
        if ticket.closes and not closed:
            closed = self._move(external_id, closes=True)
        elif ticket.reopens and closed:
            closed = self._move(external_id, closes=False)
        return self._external(external_id, ticket.title, closed=closed, content_hash=ticket.content_hash)

    resolve = update

    def read(self, external_id: str) -> ExternalTicket | None:
        """The issue by its key; None if it was deleted."""
        try:
            return self._seen(self._read(external_id))
        except DeliveryError as error:
            if missing(error):
                return None
            raise

    def find_by_marker(self, marker: str, since: datetime | None = None) -> list[ExternalTicket]:
        """Every issue with the marker's label, wherever it was moved, oldest first."""
        asked: dict[str, str | int] = {
            "jql": f'labels = "{_label_of(marker)}" ORDER BY created ASC',
            "fields": "summary,status,labels",
            "properties": PROPERTY,
            "maxResults": 100,
        }
        return [self._seen(one) for one in self._searched(_Page, asked)]

    def changes_since(self, since: datetime) -> Iterable[TicketChange]:
        """People's changes to our issues, by the label, that were updated since then."""
        minutes = max(1, math.ceil((datetime.now(UTC) - since).total_seconds() / 60))
        asked: dict[str, str | int] = {
            "jql": f'labels = "{PROPERTY}" AND updated >= "-{minutes}m" ORDER BY updated ASC',
            "fields": "summary,status,labels,creator",
            "expand": "changelog",
            "maxResults": 100,
        }
        for issue in self._searched(ChangedPage, asked):
            marker = next((one for label in issue.fields.labels if (one := _marker_of(label))), None)
            if marker is None:
                continue
            for history in self._histories(issue, since):
                if history.created >= since:
                    yield from acts(issue, marker, history)
            for remark in self._listed(issue.key, "comment", Remarks):
                if remark.created >= since and (change := comment(issue.key, marker, remark)):
                    yield change

    def _histories(self, issue: Changed, since: datetime) -> Iterable[History]:
        changelog = issue.changelog
        return changelog.histories if changelog.reaches(since) else self._listed(issue.key, "changelog", Histories)

    def _searched(self, kind: type[Any], asked: dict[str, str | int]) -> list[Any]:
        found: list[Any] = []
        for _ in range(_MOST_PAGES):
            page, _ = self._http.read("/rest/api/3/search/jql", kind, **asked)
            found += page.issues
            if not page.next_page:
                return found
            asked["nextPageToken"] = page.next_page
        raise DeliveryError(NotSent("the search results have no end; check base_url"))

    def _content(self, ticket: Ticket) -> dict[str, Any]:
        return {
            **{name: _json_or_text(value) for name, value in ticket.fields},
            "summary": ticket.title[:SUMMARY_LIMIT],
            "description": markup.adf(ticket.body, DESCRIPTION_LIMIT),
        }

    def _priority(self, ticket: Ticket) -> dict[str, Any]:
        named = self._settings.priority_names.items()
        return next(({"priority": {"name": name}} for own, name in named if own == ticket.priority), {})

    def _move(self, key: str, *, closes: bool) -> bool:
        """Take the transition that closes or reopens; True if the issue is closed afterwards."""
        path = f"/rest/api/3/issue/{key}/transitions"
        open_to_us = self._http.read(path, _Transitions)[0].transitions
        wanted = self._settings.done_transition if closes else None
        fitting = [one for one in open_to_us if one.closes is closes and wanted in (None, one.name)]
        if not fitting:
            there = ", ".join(sorted(one.name for one in open_to_us)) or "none"
            reason = f"no transition of {key} leads to a status that is {'done' if closes else 'open'} (there: {there})"
            raise DeliveryError(Rejected(f"{reason}; let {self._settings.user} make it, or check done_transition"))
        self._http.send("POST", path, {"transition": {"id": fitting[0].id}})
        return closes

    def _comment_once(self, key: str, ticket: Ticket) -> None:
        reference = f"({PROPERTY} {ticket.note_key})"
        if not any(reference in json.dumps(one.body) for one in self._listed(key, "comment", Remarks)):
            body = {"body": markup.adf(f"{ticket.note} {reference}")}
            self._http.write("POST", f"/rest/api/3/issue/{key}/comment", body, _Comment)

    def _listed(self, key: str, what: str, kind: type[Any]) -> Iterator[Any]:
        start = 0
        for _ in range(_MOST_PAGES):
            page, _ = self._http.read(f"/rest/api/3/issue/{key}/{what}", kind, startAt=start, maxResults=100)
            yield from page.rows
            start = page.start + len(page.rows)
            if start >= page.total or not page.rows:
                return
        raise DeliveryError(NotSent(f"the {what} of {key} has no end; check base_url"))

    def _read(self, key: str) -> _Issue:
        asked = {"fields": "summary,status,labels", "properties": PROPERTY}
        return self._http.read(f"/rest/api/3/issue/{key}", _Issue, **asked)[0]

    def _seen(self, issue: _Issue) -> ExternalTicket:
        sent = issue.properties.get(PROPERTY, _Sent())
        closed = issue.fields.status.category.key == "done"
        return self._external(issue.key, issue.fields.summary, closed=closed, content_hash=sent.content_hash)

    def _external(self, key: str, title: str, *, closed: bool, content_hash: str) -> ExternalTicket:
        url = f"{self._settings.base_url.rstrip('/')}/browse/{key}"
        return ExternalTicket(key, url, title, "", closed, content_hash)

    def _headers(self) -> Mapping[str, str]:
        return {"Authorization": self._secret.basic(), "Accept": "application/json"}

    def _refusal(self, response: httpx.Response) -> Failure | None:
        said, settings = self._said(response), self._settings
        one_issue = bool(_ONE_ISSUE.search(response.request.url.path))
        match response.status_code:
            case 403:
                reason = f"{said}; give {settings.user} the right to write issues of {settings.project}"
                return Rejected(reason, whole_destination=not one_issue)
            case 404 if one_issue:
                return Rejected(f"{said}; the issue was deleted, or {settings.user} may no longer see it")
            case 404:
                return Rejected(f"{said}; there is no Jira there: check base_url", whole_destination=True)
            case 400 if '"project"' in response.text:
                reason = f"{said}; there is no project {settings.project} that {settings.user} may write to"
                return Rejected(f"{reason}: check project", whole_destination=True)
            case 400 if '"issuetype"' in response.text:
                reason = f"{said}; {settings.project} has no {settings.issue_type}: check issue_type"
                return Rejected(reason, whole_destination=True)
            case 400 if any(name in response.text for name in ('"priority"', *(f'"{n}"' for n in settings.fields))):
                reason = f"{said}; check fields and priority_names against the screens of {settings.project}"
                return Rejected(reason, whole_destination=True)
        return super()._refusal(response)


def _label_of(marker: str) -> str:
    return f"{PROPERTY}-{marker}"


def _marker_of(label: str) -> str:
    return label.partition(f"{PROPERTY}-")[2]


def _labels(ticket: Ticket) -> list[str]:
    return [PROPERTY, *("".join(label.split()) for label in ticket.labels)]  # a label of Jira's has no spaces


def _property(ticket: Ticket) -> dict[str, Any]:
    return {"key": PROPERTY, "value": {"marker": ticket.marker, "content_hash": ticket.content_hash}}


def _json_or_text(value: str) -> Any:
    if value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value

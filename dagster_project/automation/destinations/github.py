"""GitHub Issues, on github.com or an Enterprise server.

One ticket is one GitHub issue, opened by a single POST. Look-ups read the issue *listing*, by label, creator and time,
because GitHub's search lags by minutes; where no issue carries our label they read all issues since the write, because
GitHub silently drops labels when the token may not set them. Title, body and our own labels are kept up to date; other
labels, assignees and an issue that a person closed are left alone. People's changes are read from the events and
comments of those of our issues that changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

import httpx
from pydantic import BaseModel, Field, field_validator

from dagster_project.automation.destinations.http import HttpDestination, missing
from dagster_project.automation.destinations.resolutions import may_be_ours, resolution_of
from dagster_project.automation.destinations.settings import NAME, VARIABLE, HttpSettings
from dagster_project.automation.http import Secret, wait_of
from dagster_project.automation.outcomes import Deferred, DeliveryError, Failure, NotSent, Rejected
from dagster_project.automation.ticket import (
    ChangeKind,
    ExternalTicket,
    Resolution,
    Ticket,
    TicketChange,
    carries,
    marker_line,
    markers_in,
)
from dagster_project.home import Home

_PAGE = 100
_MOST_PAGES = 1000
_NUMBERED = re.compile(r"/issues/\d+")


class GitHubSettings(HttpSettings):
    """A ``kind: github`` entry of destinations.yml."""

    PLACE: ClassVar[tuple[str, ...]] = ("base_url", "repository")

    kind: Literal["github"]
    name: str = Field("github", pattern=NAME)
    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    token_env: str = Field("GITHUB_TOKEN", pattern=VARIABLE)
    base_url: str = "https://api.github.com"
    label: str = Field("feedback-control", min_length=1, max_length=50, pattern=r"^[^,]+$")
    creator: str | None = None

    @field_validator("fields")
    @classmethod
    def _has_none(cls, value: dict[str, str]) -> dict[str, str]:
        if value:
            raise ValueError("GitHub issues have no further fields; remove fields, or say it in a template")
        return value

    def build(self, home: Home) -> GitHubIssues:
        """The destination."""
        return GitHubIssues(self)


class _Label(BaseModel):
    name: str = ""


class _Account(BaseModel):
    login: str
    type: str = "User"

    @property
    def is_program(self) -> bool:
        return self.type == "Bot"


_NOBODY = _Account(login="")


class _Issue(BaseModel):
    number: int
    html_url: str = Field(pattern=r"^https?://")
    title: str
    state: str
    body: str | None = None
    state_reason: str | None = None
    user: _Account | None = None
    labels: list[_Label | str] = []
    pull_request: dict[str, Any] | None = None

    def label_names(self) -> list[str]:
        return [label if isinstance(label, str) else label.name for label in self.labels]

    def as_ticket(self) -> ExternalTicket:
        return ExternalTicket(
            str(self.number), self.html_url, self.title, self.body or "", closed=self.state == "closed"
        )


class _Comment(BaseModel):
    body: str | None = None


class _Remark(_Comment):
    id: int
    user: _Account | None = None
    created_at: datetime


class _Event(BaseModel):
    id: int
    event: str
    actor: _Account | None = None
    created_at: datetime
    state_reason: str | None = None
    assignee: _Account | None = None
    label: _Label | None = None


class GitHubIssues(HttpDestination):
    """The issues of one repository as a ticket destination."""

    def __init__(self, settings: GitHubSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        super().__init__(settings, Secret(settings.token_env, "a token that may write issues"), transport=transport)
        self._settings = settings
        self._issues = f"/repos/{settings.repository}/issues"

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Open the issue, with its labels, in one request."""
        body = {"title": ticket.title, "body": ticket.body, "labels": [self._settings.label, *ticket.labels]}
        return self._http.write("POST", self._issues, body, _Issue).as_ticket()

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Set title, body and our labels, after a comment if the ticket has a note."""
        return self._set(external_id, ticket)

    def resolve(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """The same, and close the issue as completed unless somebody closed it already."""
        return self._set(external_id, ticket)

    def read(self, external_id: str) -> ExternalTicket | None:
        """The issue by its number; None if it was deleted or moved away."""
        try:
            return self._read(external_id).as_ticket()
        except DeliveryError as error:
            if missing(error):
                return None
            raise

    def find_by_marker(self, marker: str, since: datetime | None = None) -> list[ExternalTicket]:
        """Every issue with the marker, oldest first: among ours by label, else among all that changed since."""
        params: dict[str, str | int] = {"state": "all", "sort": "created", "direction": "asc"}
        if self._settings.creator:
            params["creator"] = self._settings.creator
        if since:
            params["since"] = f"{since:%Y-%m-%dT%H:%M:%SZ}"
        found = self._carrying(marker, {**params, "labels": self._settings.label})
        return found or (self._carrying(marker, params) if since else [])

    def changes_since(self, since: datetime) -> Iterable[TicketChange]:
        """People's changes to our issues, by the label, that changed since then."""
        params: dict[str, str | int] = {"state": "all", "sort": "updated", "direction": "asc"}
        after: dict[str, str | int] = {"since": f"{since:%Y-%m-%dT%H:%M:%SZ}"}
        for issue in list(self._listed(self._issues, _Issue, {**params, **after, "labels": self._settings.label})):
            marker = next(iter(markers_in(issue.body or "")), None)
            if marker is None or issue.pull_request is not None:
                continue
            path = f"{self._issues}/{issue.number}"
            acts = (one for one in self._listed(f"{path}/events", _Event, {}) if one.created_at >= since)
            yield from filter(None, (_act(issue, marker, one) for one in acts))
            remarks = self._listed(f"{path}/comments", _Remark, after)
            yield from filter(None, (_said(issue, marker, one) for one in remarks))

    def _carrying(self, marker: str, params: dict[str, str | int]) -> list[ExternalTicket]:
        listed = self._listed(self._issues, _Issue, params)
        ours = (one for one in listed if one.pull_request is None and carries(one.body or "", marker))
        return [one.as_ticket() for one in sorted(ours, key=lambda issue: issue.number)]

    def _set(self, number: str, ticket: Ticket) -> ExternalTicket:
        present = self._read(number)
        if ticket.note:
            self._comment_once(number, ticket)
        kept = [name for name in present.label_names() if not name.startswith("priority: ")]
        ours = [name for name in (self._settings.label, *ticket.labels) if name not in kept]
        body: dict[str, Any] = {"title": ticket.title, "body": ticket.body, "labels": kept + ours}
        if ticket.closes and present.state == "open":
            body |= {"state": "closed", "state_reason": "completed"}
        if ticket.reopens and present.state == "closed":
            body |= {"state": "open", "state_reason": "reopened"}
        return self._http.write("PATCH", f"{self._issues}/{number}", body, _Issue).as_ticket()

    def _comment_once(self, number: str, ticket: Ticket) -> None:
        comments = f"{self._issues}/{number}/comments"
        if not any(carries(comment.body or "", ticket.note_key) for comment in self._listed(comments, _Comment, {})):
            self._http.write("POST", comments, {"body": f"{ticket.note}\n\n{marker_line(ticket.note_key)}"}, _Comment)

    def _read(self, number: str) -> _Issue:
        return self._http.read(f"{self._issues}/{number}", _Issue)[0]

    def _listed(self, path: str, kind: type[Any], params: dict[str, str | int]) -> Iterator[Any]:
        for page in range(1, _MOST_PAGES + 1):
            items, response = self._http.read(path, list[kind], **params, per_page=_PAGE, page=page)  # type: ignore[valid-type]
            yield from items
            more = "next" in response.links if "link" in response.headers else len(items) == _PAGE
            if not more:
                return
        raise DeliveryError(NotSent(f"the list at {path} has no end; check base_url"))

    def _headers(self) -> Mapping[str, str]:
        return {
            **super()._headers(),
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    def _refusal(self, response: httpx.Response) -> Failure | None:
        repository, variable = self._settings.repository, self._settings.token_env
        said = self._said(response)
        one_issue = bool(_NUMBERED.search(response.request.url.path))
        match response.status_code:
            case 403 if _is_rate_limit(response):
                return Deferred(f"{said}; rate limit", wait_of(response))
            case 403:
                reason = f"{said}; give the token in {variable} the right to write issues of {repository}"
                return Rejected(reason, whole_destination=not one_issue)
            case 404 | 410 | 301 if one_issue:
                return Rejected(f"{said}; the issue was deleted or moved away from {repository}")
            case 404:
                reason = f"{said}; there is no repository {repository}, or the token in {variable} may not see it"
                return Rejected(f"{reason}: check repository and {variable}", whole_destination=True)
            case 410:
                reason = f"{said}; issues are switched off in {repository}: enable them, or change repository"
                return Rejected(reason, whole_destination=True)
            case 301 | 302 | 307 | 308:
                reason = f"{said}; {repository} has moved: set repository to its new name"
                return Rejected(reason, whole_destination=True)
        return super()._refusal(response)


def _act(issue: _Issue, marker: str, event: _Event) -> TicketChange | None:
    """The change in a timeline event; None for our own, and for events of no kind of ours."""
    change = _change_of(issue, marker, event)
    ours = issue.user is not None and event.actor == issue.user  # whoever opened it is us
    return None if change and ours and may_be_ours(change.kind, change.resolution) else change


def _change_of(issue: _Issue, marker: str, event: _Event) -> TicketChange | None:
    assignee, priority = event.assignee or _NOBODY, (event.label or _Label()).name.partition("priority: ")[2]

    def change(kind: ChangeKind, value: str, resolution: Resolution | None = None, before: str = "") -> TicketChange:
        actor, change_id = event.actor or _NOBODY, f"event {event.id}"
        who = (event.created_at, actor.login, before or None, resolution, change_id, actor.is_program)
        return TicketChange(marker, str(issue.number), kind, value, *who)

    match event.event:
        case "closed":
            reason = event.state_reason or (issue.state_reason if issue.state == "closed" else None) or "closed"
            return change("status", reason, resolution_of(reason))
        case "reopened":
            return change("status", "open", "open")
        case "assigned":
            return change("assignee", assignee.login)
        case "unassigned":
            return change("assignee", "", before=assignee.login)
        case "labeled" if priority:
            return change("priority", priority)
    return None


def _said(issue: _Issue, marker: str, remark: _Remark) -> TicketChange | None:
    """The comment of a person; our own comments carry a marker, and a quoted marker is inside a line."""
    actor, text = remark.user or _NOBODY, remark.body or ""
    if actor.is_program or markers_in(text):
        return None
    who = (remark.created_at, actor.login)
    return TicketChange(marker, str(issue.number), "comment", text, *who, change_id=f"comment {remark.id}")


def _is_rate_limit(response: httpx.Response) -> bool:
    """Primary limits show in the headers; secondary ones by Retry-After, or only in words."""
    headers = response.headers
    return (
        headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers or "rate limit" in response.text.lower()
    )

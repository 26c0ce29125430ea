"""Changes to a Jira issue, parsed from its changelog and comments, without our own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from dagster_project.automation.destinations.resolutions import may_be_ours, resolution_of
from dagster_project.automation.ticket import ChangeKind, Resolution, TicketChange

REFERENCE = "feedback-control"
"""Prefix of our labels, and of the references in our comments."""


class _Account(BaseModel):
    account_id: str = Field("", alias="accountId")
    name: str = Field("", alias="displayName")
    kind: str = Field("atlassian", alias="accountType")

    @property
    def is_program(self) -> bool:
        return self.kind == "app"


_NOBODY = _Account.model_validate({})


class _Item(BaseModel):
    field: str = ""
    before: str | None = Field(None, alias="fromString")
    after: str | None = Field(None, alias="toString")


class History(BaseModel):
    """One entry of the changelog: fields that were changed at once."""

    id: str
    author: _Account | None = None
    created: datetime
    items: list[_Item] = []

    def after(self, field: str) -> str:
        """The new value of a field; empty if it was not changed."""
        return next((item.after or "" for item in self.items if item.field == field), "")


class _Changelog(BaseModel):
    histories: list[History] = []
    total: int = 0
    most: int = Field(0, alias="maxResults")

    def reaches(self, since: datetime) -> bool:
        """True if no change after that instant is missing: the search returns the latest changes only."""
        count = len(self.histories)
        return any(one.created < since for one in self.histories) or self.total <= count < self.most


class _Category(BaseModel):
    key: str


class _Status(BaseModel):
    category: _Category = Field(alias="statusCategory")


class _Fields(BaseModel):
    status: _Status
    labels: list[str] = []
    creator: _Account | None = None


class Changed(BaseModel):
    """An issue that was updated, with its latest changes."""

    key: str
    fields: _Fields
    changelog: _Changelog


class ChangedPage(BaseModel):
    """A page of them."""

    issues: list[Changed]
    next_page: str | None = Field(None, alias="nextPageToken")


class Remark(BaseModel):
    """A comment."""

    id: str
    author: _Account | None = None
    created: datetime
    body: Any = None


class _Page(BaseModel):
    start: int = Field(alias="startAt")
    total: int


class Remarks(_Page):
    """A page of comments."""

    rows: list[Remark] = Field(alias="comments")


class Histories(_Page):
    """A page of all changes to an issue, oldest first."""

    rows: list[History] = Field(alias="values")


def acts(issue: Changed, marker: str, history: History) -> Iterator[TicketChange]:
    """The changes of one entry of the changelog; none for our own."""
    author, creator = history.author or _NOBODY, issue.fields.creator
    ours = creator is not None and author.account_id == creator.account_id  # whoever opened it is us
    for item in history.items:
        kind, resolution = _meaning(issue, history, item)
        if kind is None or (ours and may_be_ours(kind, resolution)):
            continue
        change_id = f"{history.id} {item.field}"
        who = (history.created, author.name, item.before, resolution, change_id, author.is_program)
        yield TicketChange(marker, issue.key, kind, item.after or "", *who)


def _meaning(issue: Changed, history: History, item: _Item) -> tuple[ChangeKind | None, Resolution | None]:
    match item.field:
        case "assignee" | "priority" as field:
            return ("assignee" if field == "assignee" else "priority"), None
        case "status":
            moves = [one for one in issue.changelog.histories if any(own.field == "status" for own in one.items)]
            newest = max(moves, key=lambda one: (one.created, one.id))
            # Only of where it is now is it known whether that counts as done; before, a resolution says so.
            now = issue.fields.status.category.key == "done"
            done = now if newest.id == history.id else bool(history.after("resolution"))
            return "status", resolution_of(item.after or "", history.after("resolution")) if done else "open"
        case "resolution" if item.after and not history.after("status"):
            return "status", resolution_of(item.after)
    return None, None


def comment(key: str, marker: str, remark: Remark) -> TicketChange | None:
    """The comment of a person; our own comments carry a reference."""
    author, text = remark.author or _NOBODY, _words(remark.body or {}).strip()
    if author.is_program or f"({REFERENCE} " in text:
        return None
    return TicketChange(marker, key, "comment", text, remark.created, author.name, change_id=f"comment {remark.id}")


def _words(node: dict[str, Any]) -> str:
    """The words of a document in Atlassian's format, a block to a line."""
    own = str(node.get("text") or node.get("attrs", {}).get("text") or "")
    ends = node.get("type") in ("paragraph", "heading", "codeBlock", "hardBreak")
    return own + "".join(map(_words, node.get("content", ()))) + ("\n" if ends else "")

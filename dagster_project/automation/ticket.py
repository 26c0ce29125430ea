"""Tickets and their idempotency key, the marker: as wanted, as a destination has them, and the changes made there.

The marker stands on a line of its own in the body; by it a ticket is found again.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Literal

from dagster_project.redaction import without_credentials

KIND = "ticket"
"""The kind of a ticket's intents in the ledger."""

Status = Literal["open", "resolved"]
ChangeKind = Literal["status", "assignee", "priority", "comment"]
Resolution = Literal["open", "resolved", "rejected"]
"""Classification of a status; *rejected* means "not a bug" or "won't fix"."""


@dataclass(frozen=True)
class Ticket:
    """A ticket as a destination is asked to hold it, ready to send; a ``Payload`` of the ledger.

    ``note`` is a comment about the change since the last delivery (empty: no comment), ``note_key`` is the idempotency
    key of that comment (empty: the ticket is new), and ``reopens`` is True if this system resolved the ticket before
    and takes that back. ``fields`` are further fields of the target's own, from the mapping in ``destinations.yml``.
    ``keeps_open`` leaves closing to people. ``sequence`` sorts the writes about one issue at one destination, as text.
    ``acts`` are lines about its mitigations so far, oldest first.
    """

    issue_id: str
    marker: str
    title: str
    body: str
    status: Status
    priority: str
    owner: str
    labels: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    keeps_open: bool = False
    note: str = ""
    note_key: str = ""
    reopens: bool = False
    sequence: str = ""
    acts: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The kind of its intents."""
        return KIND

    @property
    def subject_id(self) -> str:
        """The issue, as the ledger's subject."""
        return self.issue_id

    @property
    def is_final(self) -> bool:
        """True if its issue is over, so that nothing more is due once this ticket is written."""
        return self.status == "resolved"

    @property
    def closes(self) -> bool:
        """True if the target's ticket is to be closed: its issue is over, and closing is not left to people."""
        return self.is_final and not self.keeps_open

    @cached_property
    def content_hash(self) -> str:
        """Hash of the ticket's content; the note about the change, and the sequence, do not count."""
        still = replace(self, note="", note_key="", reopens=False, sequence="")
        return hashlib.sha256(still.as_json().encode()).hexdigest()

    def as_json(self) -> str:
        """The ticket as the ledger keeps it."""
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("fields", "keeps_open", "acts", "sequence"):
            if not content[name]:
                del content[name]  # so that a ticket without it keeps the hash it had before there was any
        return json.dumps(content, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Ticket:
        """The ticket that ``as_json`` wrote."""
        content = json.loads(text)
        pairs = tuple((name, value) for name, value in content.pop("fields", ()))
        acts = tuple(content.pop("acts", ()))
        return cls(**{**content, "labels": tuple(content["labels"]), "fields": pairs, "acts": acts})


@dataclass(frozen=True)
class ExternalTicket:
    """A ticket as the tool has it; ``closed`` by anybody.

    ``content_hash`` is the hash that was sent with the text, for tools that keep it in a field beside the marker: their
    text comes back in another markup and cannot be compared. The address is kept without credentials.
    """

    external_id: str
    url: str
    title: str
    body: str
    closed: bool = False
    content_hash: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", without_credentials(self.url))

    def says(self, ticket: Ticket) -> bool:
        """True if the tool holds the content of this ticket, so that nothing has to be sent."""
        done = self.closed if ticket.closes else not (ticket.reopens and self.closed)
        if self.content_hash:
            return done and self.content_hash == ticket.content_hash
        return done and self.title == ticket.title and _same_text(self.body, ticket.body)


def marker_line(marker: str) -> str:
    """The marker as it stands in a ticket's body: on a line of its own, invisible when rendered."""
    return f"<!-- feedback-control:{marker} -->"


def carries(body: str, marker: str) -> bool:
    """True if a ticket's body carries the marker; text that merely quotes it within a line does not count."""
    return marker_line(marker) in (line.strip() for line in body.splitlines())


def markers_in(text: str) -> list[str]:
    """The markers that stand in a text on lines of their own; they identify our tickets and our comments."""
    return _MARKER.findall(text)


def _same_text(one: str, other: str) -> bool:
    """Equal but for line endings and surrounding space, which some tools change."""
    return one.strip().splitlines() == other.strip().splitlines()


_MARKER = re.compile(r"^[ \t]*<!-- feedback-control:(\w+) -->[ \t\r]*$", re.MULTILINE)


@dataclass(frozen=True)
class TicketChange:
    """One change to one of our tickets, in the tool's own words; by a person, or ``by_program``.

    ``marker`` identifies the ticket and ``change_id`` the change. ``resolution`` classifies a status. A comment's
    ``value`` is its text, not masked yet.
    """

    marker: str
    external_id: str
    kind: ChangeKind
    value: str
    occurred_at: datetime
    actor: str = ""
    previous: str | None = None
    resolution: Resolution | None = None
    change_id: str = ""
    by_program: bool = False

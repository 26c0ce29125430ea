"""Events out: what becomes of issues and of their tickets, as CloudEvents 1.0.

    incident.detected, incident.updated, incident.resolved      an issue
    ticket.created, ticket.updated, ticket.closed               its ticket in one destination

They are named after CDEvents. ``schemas/`` has a JSON Schema of the whole (``event``) and one for the data of each of
the two kinds, which an event's ``dataschema`` names with its version: within a version, fields are only ever added. An
event that is told again keeps its id, and ``sequence`` (an extension that CloudEvents documents) orders the events of
one issue, or of one ticket, as text: later is greater.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from dagster_project.automation.ledger.intents import Action, Intent
from dagster_project.automation.ticket import Ticket

Event = dict[str, Any]
"""A CloudEvent in the JSON format."""

SOURCE = "feedback-control"
VERSION = "v1"
SCHEMAS = Path(__file__).parent / "schemas"
_TICKET_EVENTS = {Action.CREATE: "created", Action.UPDATE: "updated", Action.RESOLVE: "closed"}


def incident_event(change: Literal["detected", "updated", "resolved"], ticket: Ticket, now: datetime) -> Event:
    """What became of an issue, in the words of the ticket that a destination is asked to hold."""
    told = [change, ticket.marker, ticket.content_hash, ticket.note_key]
    data = {
        "issue_id": ticket.issue_id,
        "title": ticket.title,
        "status": ticket.status,
        "priority": ticket.priority,
        "owner": ticket.owner,
        "labels": list(ticket.labels),
        "brief": ticket.body,
        "change": ticket.note,
        "fields": dict(ticket.fields),
    }
    event_id = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]
    return _event(f"incident.{change}", event_id, data, now, ticket.sequence)


def ticket_event(intent: Intent, ticket: Ticket, sequence: str) -> Event:
    """What became of a ticket: a confirmed write, and what it said."""
    assert intent.confirmed_at is not None
    data = {
        "issue_id": intent.issue_id,
        "destination": intent.destination,
        "external_id": intent.external_id,
        "url": intent.url,
        "priority": ticket.priority,
    }
    left_open = intent.action is Action.RESOLVE and not ticket.closes  # closing is left to people there
    name = _TICKET_EVENTS[Action.UPDATE if left_open else intent.action]
    return _event(f"ticket.{name}", ticket_event_id(intent), data, intent.confirmed_at, sequence)


def ticket_event_id(intent: Intent) -> str:
    """The id of what became of a ticket, in events and in the lake."""
    # A ticket is created once, whichever ledger saw it; every other event is told apart by what it said.
    told_apart = "" if intent.action is Action.CREATE else f"{intent.sequence} {intent.payload_hash}"
    key = f"{intent.destination} {intent.issue_id} {intent.action} {told_apart}"
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema of a whole event (``event``), or of the data of an ``incident`` or a ``ticket``."""
    return _schema(kind).copy()


@cache
def _schema(kind: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{kind}.{VERSION}.json").read_text(encoding="utf-8"))
    return schema


def _event(name: str, event_id: str, data: dict[str, Any], at: datetime, sequence: str) -> Event:
    kind = name.partition(".")[0]
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": f"{SOURCE}.{name}.{VERSION}",
        "subject": data["issue_id"],
        "time": at.astimezone(UTC).isoformat(),
        "sequence": sequence or "0",
        "datacontenttype": "application/json",
        "dataschema": _schema(kind)["$id"],
        "data": data,
    }

"""Events out: what becomes of issues and of their tickets, as CloudEvents 1.0.

    incident.detected, incident.updated, incident.resolved      an issue
    ticket.created, ticket.updated, ticket.closed               its ticket in one destination

They are named after CDEvents, and each has a JSON Schema in ``schemas/``, which its ``dataschema`` names with its
version: within a version, fields are only ever added. An event that is told again keeps its id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from dagster_project.automation.destinations.base import Ticket

Event = dict[str, Any]
"""A CloudEvent in the JSON format."""

SOURCE = "feedback-control"
VERSION = "v1"
SCHEMAS = Path(__file__).parent / "schemas"
_TICKET_EVENTS = {"created": "created", "updated": "updated", "resolved": "closed"}


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
    return _event(f"incident.{change}", hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32], data, now)


def ticket_event(row: Mapping[str, Any]) -> Event:
    """What became of a ticket: a row of the lake's ``ticket_events``."""
    data = {name: row[name] for name in ("issue_id", "destination", "external_id", "url", "priority")}
    return _event(f"ticket.{_TICKET_EVENTS[row['event']]}", row["event_id"], data, row["occurred_at"])


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema of an event's data, for ``incident`` or ``ticket``."""
    return _schema(kind).copy()


@cache
def _schema(kind: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{kind}.{VERSION}.json").read_text(encoding="utf-8"))
    return schema


def _event(name: str, event_id: str, data: dict[str, Any], at: datetime) -> Event:
    kind = name.partition(".")[0]
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": f"{SOURCE}.{name}.{VERSION}",
        "subject": data["issue_id"],
        "time": at.astimezone(UTC).isoformat(),
        "datacontenttype": "application/json",
        "dataschema": _schema(kind)["$id"],
        "data": data,
    }

"""CloudEvents 1.0 about issues, their tickets and their mitigations: envelope, types and JSON Schemas.

    incident.detected, incident.updated, incident.resolved      an issue
    ticket.created, ticket.updated, ticket.closed               its ticket in one destination (tickets/ticket_events.py)
    approval.requested, approval.granted, approval.refused      a plan that waits for people (mitigation/announcing.py)
    environment.modified                                        a flag, traffic or a rollout was set, or set back
    service.rolledback, service.upgraded                        a release was rolled back, or that was undone

The types are named after CDEvents, which has no approvals. ``schemas/`` has a JSON Schema of the envelope (``event``)
and one for the data of each kind, which an event's ``dataschema`` names with its version: within a version, fields are
only ever added. Event ids are stable, as an idempotency key for consumers: a retry has the id of the first delivery.
``sequence`` (an extension that CloudEvents documents) sorts the events of one issue, one ticket or one plan, as text.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from dagster_project.automation.ticket import Ticket

Event = dict[str, Any]
"""A CloudEvent in the JSON format."""

SOURCE = "feedback-control"
VERSION = "v1"
SCHEMAS = Path(__file__).parent / "schemas"


def incident_event(change: Literal["detected", "updated", "resolved"], ticket: Ticket, now: datetime) -> Event:
    """The event for a change of an issue, with the content of the ticket for it."""
    key = [change, ticket.marker, ticket.content_hash, ticket.note_key]
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
    event_id = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    return event_of(f"incident.{change}", event_id, data, now, ticket.sequence)


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema of a whole event (``event``), or of the data of a kind of event, such as ``incident``."""
    return _schema(kind).copy()


@cache
def _schema(kind: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{kind}.{VERSION}.json").read_text(encoding="utf-8"))
    return schema


def event_of(name: str, event_id: str, data: dict[str, Any], at: datetime, sequence: str) -> Event:
    """A whole event; its subject is the issue that the data names."""
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

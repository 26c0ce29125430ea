"""Zendesk: tickets of the incremental export, as one JSON document (``{"tickets": [...]}``) or JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dagster_project.errors import SourceError
from dagster_project.ingestion.file_access import read_json, read_lines
from dagster_project.ingestion.readers.generic import json_record
from dagster_project.ingestion.records import Record, Reject, Tally, as_raw, as_record
from dagster_project.ingestion.sources import SourceConfig

DEFAULTS: dict[str, object] = {"source": "zendesk"}

_CHAT = {"chat", "native_messaging", "messaging", "whatsapp", "sms"}
_SOCIAL = {"twitter", "facebook", "instagram", "twitter_dm", "any_channel"}
_KEPT = ("status", "priority", "tags", "type", "group_id", "satisfaction_rating", "updated_at")


def read(path: Path, source: SourceConfig, tally: Tally) -> Iterator[Record | Reject]:
    """Read the tickets of an export; deleted tickets are counted and skipped.

    Raises:
        SourceError: the document holds no list of tickets.
    """
    for number, ticket in enumerate(_tickets(path, source), start=1):
        if isinstance(ticket, Reject):
            yield ticket
        elif not isinstance(ticket, dict) or "id" not in ticket:
            yield Reject(f"ticket {number} has no id", number, as_raw(ticket))
        elif ticket.get("status") == "deleted":
            tally.skip("a deleted ticket")
        else:
            yield as_record(_values, ticket, number)


def _tickets(path: Path, source: SourceConfig) -> Iterator[Any]:
    if path.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson")):
        for number, line in enumerate(read_lines(path, source.encoding, source.limits), start=1):
            if isinstance(line, Reject):
                yield line
            elif line.strip():
                read = json_record(line, number)
                yield read.values if isinstance(read, Record) else read
        return
    document = read_json(path, source.encoding, source.limits)
    tickets = document.get("tickets") if isinstance(document, dict) else None
    if not isinstance(tickets, list):
        raise SourceError(f"{path.name} holds no `tickets`; export it with Zendesk's incremental ticket export")
    yield from tickets


def _values(ticket: dict[str, Any]) -> dict[str, Any]:
    via = (ticket.get("via") or {}).get("channel", "")
    channel = "chat" if via in _CHAT else "social" if via in _SOCIAL else "support_ticket"
    fields = {
        str(field["id"]): field["value"]
        for field in ticket.get("custom_fields") or []
        if isinstance(field, dict) and "id" in field and field.get("value") is not None
    }
    return {
        "feedback_id": f"zd-{ticket['id']}",
        "channel": channel,
        "title": ticket.get("subject"),
        "text": ticket.get("description") or ticket.get("subject"),
        "occurred_at": ticket.get("created_at"),
        "customer_id": ticket.get("external_id") or ticket.get("requester_id"),
        "url": ticket.get("url"),
        **{name: ticket[name] for name in _KEPT if ticket.get(name) is not None},
        **fields,
    }

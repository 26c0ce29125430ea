"""What the row of an intent says: before it is sent, and after each outcome of a try."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from dagster_project.automation.ledger.intents import Action, Intent, State
from dagster_project.automation.outcomes import Confirmed, Deferred, NotSent, Outcome, Rejected, Unknown
from dagster_project.automation.ticket import Ticket

RETRY_REFUSED = timedelta(days=1)
"""How long what was refused for its own sake is left alone, as long as it does not change."""

_LONGEST_BACKOFF = timedelta(hours=1)


def pending(previous: Intent | None, action: Action, ticket: Ticket, destination: str, now: datetime) -> dict[str, Any]:
    """The row of an intent that follows another, before it is sent."""
    sequence = previous.sequence + 1 if previous else 0
    return {
        "intent_id": _intent_id(destination, ticket.issue_id, sequence),
        "issue_id": ticket.issue_id,
        "destination": destination,
        "sequence": sequence,
        "action": action,
        "state": State.PENDING,
        "marker": ticket.marker,
        "payload_hash": ticket.content_hash,
        "payload": ticket.as_json(),
        "external_id": previous.external_id if previous else None,
        "url": previous.url if previous else None,
        "not_before": now,
        "created_at": now,
        "updated_at": now,
        "owner": ticket.owner,
    }


def after(outcome: Outcome, now: datetime, settle: timedelta, intent: Intent) -> dict[str, Any]:
    """The columns that an outcome sets. Nothing is tried again before the settle time is over."""
    # Spread by a part that differs from intent to intent, so that what waited together does not return together.
    jitter = 1 + int(intent.intent_id[:4], 16) / 0xFFFF / 4
    match outcome:
        case Confirmed(ticket):
            return {
                "state": State.CONFIRMED,
                "external_id": ticket.external_id,
                "url": ticket.url,
                "reason": "",
                "confirmed_at": now,
                "lease_until": None,
            }
        case Rejected(reason, whole_destination):
            state, wait = State.REJECTED, timedelta() if whole_destination else RETRY_REFUSED
        case Unknown(reason):
            state, wait = State.UNKNOWN, settle
        case NotSent(reason):
            state, wait = State.PENDING, backoff(settle, intent.attempts - 1) * jitter
        case Deferred(reason, asked):
            state, wait = State.PENDING, max(asked, settle) * jitter
    return {"state": state, "reason": reason, "not_before": now + wait, "lease_until": None}


def name_of(outcome: Outcome) -> str:
    """An outcome as the attempts call it."""
    names = {
        Confirmed: "confirmed",
        Rejected: "rejected",
        Unknown: "unknown",
        NotSent: "not sent",
        Deferred: "deferred",
    }
    return names[type(outcome)]


def backoff(settle: timedelta, times: int) -> timedelta:
    """How long to wait after so many tries in a row that failed: twice as long each time, up to an hour."""
    doubled: timedelta = settle * 2 ** min(times, 10)
    return min(doubled, max(settle, _LONGEST_BACKOFF))


def _intent_id(destination: str, issue_id: str, sequence: int) -> str:
    return hashlib.sha256(json.dumps([destination, issue_id, sequence]).encode()).hexdigest()[:32]

"""Retry, back-off and the next state of an intent: the columns before it is sent, and after each outcome of a try."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from dagster_project.automation.ledger.intents import Intent, Payload, State
from dagster_project.automation.outcomes import Confirmed, Deferred, NotSent, Outcome, Rejected, Unknown, Written

RETRY_REJECTED = timedelta(days=1)
"""Wait before the retry of a write that was rejected for its own sake, as long as its payload does not change."""

_LONGEST_BACKOFF = timedelta(hours=1)


def pending(previous: Intent | None, action: str, payload: Payload, destination: str, now: datetime) -> dict[str, Any]:
    """The row of an intent that follows another, before it is sent."""
    sequence = previous.sequence + 1 if previous else 0
    return {
        "intent_id": _intent_id(destination, payload.subject_id, sequence),
        "kind": payload.kind,
        "subject_id": payload.subject_id,
        "destination": destination,
        "sequence": sequence,
        "state": State.PENDING,
        "marker": payload.marker,
        **content_of(action, payload),
        "external_id": previous.external_id if previous else None,
        "url": previous.url if previous else None,
        "not_before": now,
        "created_at": now,
        "updated_at": now,
        "owner": payload.owner,
    }


def content_of(action: str, payload: Payload) -> dict[str, Any]:
    """The columns that a newer payload replaces until the intent is sent."""
    return {
        "action": str(action),
        "is_final": payload.is_final,
        "title": payload.title,
        "payload_hash": payload.content_hash,
        "payload": payload.as_json(),
    }


def after(
    outcome: Outcome[Written], now: datetime, settle: timedelta, intent: Intent, *, may_be_there: bool = False
) -> dict[str, Any]:
    """The columns that an outcome sets. No retry before the settle time is over.

    ``may_be_there`` if the intent was sent before, with unknown outcome. A failure now does not say what became of
    that: the outcome stays unknown, and a person has to look where the retry was refused.
    """
    # Jitter by a part that differs from intent to intent, so that what waited together does not return together.
    jitter = 1 + int(intent.intent_id[:4], 16) / 0xFFFF / 4
    match outcome:
        case Confirmed(written):
            return {
                "state": State.CONFIRMED,
                "external_id": written.external_id,
                "url": written.url,
                "reason": "",
                "confirmed_at": now,
                "lease_until": None,
            }
        case Rejected(reason, whole_destination):
            state, wait = State.REJECTED, timedelta() if whole_destination else RETRY_REJECTED
        case Unknown(reason):
            state, wait = State.UNKNOWN, settle
        case NotSent(reason):
            state, wait = State.PENDING, backoff(settle, intent.attempts - 1) * jitter
        case Deferred(reason, asked):
            state, wait = State.PENDING, max(asked, settle) * jitter
    if may_be_there and isinstance(outcome, Rejected) and not outcome.whole_destination:
        state, reason = State.HELD, f"{intent.reason}; sent again, it was refused: {reason}"
    elif may_be_there:
        state = State.UNKNOWN
    return {"state": state, "reason": reason, "not_before": now + wait, "lease_until": None}


def name_of(outcome: Outcome[Written]) -> str:
    """The name of an outcome in ``attempts``."""
    names = {
        Confirmed: "confirmed",
        Rejected: "rejected",
        Unknown: "unknown",
        NotSent: "not sent",
        Deferred: "deferred",
    }
    return names[type(outcome)]


def backoff(settle: timedelta, times: int) -> timedelta:
    """Exponential back-off after so many failures in a row: twice as long each time, up to an hour."""
    doubled: timedelta = settle * 2 ** min(times, 10)
    return min(doubled, max(settle, _LONGEST_BACKOFF))


def _intent_id(destination: str, subject_id: str, sequence: int) -> str:
    return hashlib.sha256(json.dumps([destination, subject_id, sequence]).encode()).hexdigest()[:32]

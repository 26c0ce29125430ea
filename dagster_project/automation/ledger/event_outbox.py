"""Transactional outbox for events: which sink still has to receive which event about a confirmed write or a proposal.

An entry is made in the transaction that exports the write (``Ledger.exporting``), or that notes how far the events of
proposals were announced, so no crash loses an event. Delivery is retried until the sink has it
(``tickets/event_delivery.py``); the event's id stays the same, and consumers deduplicate on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from dagster_project.automation.ledger.intents import Intent
from dagster_project.automation.ledger.store import Store, take_turns
from dagster_project.automation.ledger.tables import event_outbox, intents

LEASE = timedelta(minutes=2)
"""Lease of a delivery: after it, another run may claim the event."""

_MOST = 1000

_ANNOUNCED = "announced_proposal_events"
"""Name in ``meta``: the last event of proposals for which the outbox was filled."""


@dataclass(frozen=True)
class Announcement:
    """A rendered event for one sink; with ``if_followed`` only if the sink had an event about this subject before."""

    sink: str
    event: Mapping[str, Any]
    if_followed: bool = False


@dataclass(frozen=True)
class OutboxEvent:
    """One event that one sink still has to receive."""

    entry_id: int
    intent_id: str | None
    sink: str
    attempts: int
    event: dict[str, Any]


class EventOutbox:
    """Outbox of one ledger."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def due_events(self, sink: str, now: datetime) -> list[OutboxEvent]:
        """The events to deliver now, in the order in which they happened."""
        columns = [event_outbox.c[name] for name in OutboxEvent.__dataclass_fields__]
        due = event_outbox.c.delivered_at.is_(None) & (event_outbox.c.not_before <= now)
        query = select(*columns).where(event_outbox.c.sink == sink, due).order_by(event_outbox.c.entry_id).limit(_MOST)
        with self._store.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [OutboxEvent(**{**row, "event": json.loads(row["event"])}) for row in rows]

    def claim_event(self, entry: OutboxEvent, now: datetime) -> bool:
        """Take an event for delivery; False if another run was faster."""
        unchanged = (event_outbox.c.entry_id == entry.entry_id) & (event_outbox.c.attempts == entry.attempts)
        claiming = update(event_outbox).where(unchanged, event_outbox.c.delivered_at.is_(None))
        with self._store.transaction() as connection:
            claimed = connection.execute(claiming.values(attempts=entry.attempts + 1, not_before=now + LEASE))
        return claimed.rowcount == 1

    def delivered(self, entry: OutboxEvent, now: datetime) -> None:
        """Record that the sink has the event."""
        shown = {"sink": entry.sink, "type": entry.event["type"], "id": entry.event["id"]}
        with self._store.transaction() as connection:
            here = event_outbox.c.entry_id == entry.entry_id
            connection.execute(update(event_outbox).where(here).values(delivered_at=now, reason=""))
            self._store.note(connection, now, "event delivered", entry.intent_id, shown)

    def not_delivered(
        self, entry: OutboxEvent, reason: str, now: datetime, wait: timedelta, *, rate_limited: bool
    ) -> None:
        """Schedule a retry; ``rate_limited`` keeps everything else from the sink for as long."""
        here = (event_outbox.c.entry_id == entry.entry_id) & event_outbox.c.delivered_at.is_(None)
        retry: dict[str, object] = {"reason": reason, "not_before": now + wait}
        retry["limited_until"] = now + wait if rate_limited else None
        with self._store.transaction() as connection:
            connection.execute(update(event_outbox).where(here).values(**retry))

    def announced(self) -> int:
        """The number of the last event of proposals for which the outbox was filled."""
        return int(self._store.remembered(_ANNOUNCED) or 0)

    def announce(self, announcements: Iterable[Announcement], *, after: int, until: int, now: datetime) -> bool:
        """Add the events about the proposals' events after one number until another.

        False if another run was faster.
        """
        with self._store.transaction() as connection:
            take_turns(connection)
            if int(self._store.remembered(_ANNOUNCED, connection) or 0) != after:
                return False
            for one in announcements:
                if not _is_there(connection, one):  # two runs may have counted one vote
                    _add(connection, one, None, now)
            self._store.remember(connection, _ANNOUNCED, str(until))
        return True

    def overdue_events(self, since: datetime) -> dict[str, int]:
        """The number of events from before an instant that each sink has not received."""
        late = event_outbox.c.delivered_at.is_(None) & (event_outbox.c.created_at < since)
        query = select(event_outbox.c.sink, func.count()).where(late).group_by(event_outbox.c.sink)
        with self._store.reading() as connection:
            return {str(row[0]): int(row[1]) for row in connection.execute(query)}


def enqueue(connection: Connection, intent: Intent, announcements: Iterable[Announcement], now: datetime) -> None:
    """Add events about an intent to the outbox, within the transaction that exports it."""
    for one in announcements:
        if one.if_followed and not _is_followed(connection, one.sink, intent):
            continue
        _add(connection, one, intent.intent_id, now)


def _add(connection: Connection, one: Announcement, intent_id: str | None, now: datetime) -> None:
    row = {"sink": one.sink, "event_id": one.event["id"], "intent_id": intent_id, "not_before": now, "created_at": now}
    connection.execute(insert(event_outbox), {**row, "event": json.dumps(one.event, ensure_ascii=False)})


def _is_there(connection: Connection, one: Announcement) -> bool:
    same = (event_outbox.c.sink == one.sink) & (event_outbox.c.event_id == one.event["id"])
    return connection.execute(select(event_outbox.c.entry_id).where(same)).first() is not None


def _is_followed(connection: Connection, sink: str, intent: Intent) -> bool:
    """True if the sink had an event about this subject at this destination before."""
    same = (intents.c.destination == intent.destination) & (intents.c.subject_id == intent.subject_id)
    before = event_outbox.join(intents, intents.c.intent_id == event_outbox.c.intent_id)
    query = select(func.count()).select_from(before).where(event_outbox.c.sink == sink, same)
    return bool(connection.execute(query).scalar_one())

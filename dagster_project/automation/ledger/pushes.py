"""Pushes that were made: the last complete one to each destination, and the as-of of the newest queue that was sent.

A sensor compares with the first, instead of remembering what it asked for: a push that stopped, failed in part or died
before its end records nothing, so it is still to be done. A push compares with the second, and sends no older queue.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import and_, or_, select

from dagster_project.automation.ledger.intents import State
from dagster_project.automation.ledger.store import Store
from dagster_project.automation.ledger.tables import event_outbox, intents
from dagster_project.clock import SKEW

_NAME, _SENT_AS_OF = "pushed:", "sent_as_of"
"""Names in ``meta``; the first goes before a destination's."""

_SAME = timedelta(hours=1)


@dataclass(frozen=True)
class CompletePush:
    """A push that did all it could: of which queue, when, and how many issues it left waiting."""

    queue: str
    at: datetime
    waiting: int


class Pushes:
    """Pushes of one ledger."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def complete(self, destination: str, push: CompletePush) -> None:
        """Record a complete push to a destination; one like the last writes nothing for an hour."""
        last = self.last(destination)
        if last and (last.queue, last.waiting) == (push.queue, push.waiting) and push.at - last.at < _SAME:
            return
        content = {"queue": push.queue, "at": push.at.isoformat(), "waiting": push.waiting}
        with self._store.transaction() as connection:
            self._store.remember(connection, _NAME + destination, json.dumps(content))

    def last(self, destination: str) -> CompletePush | None:
        """The last complete push to a destination."""
        text = self._store.remembered(_NAME + destination)
        if text is None:
            return None
        content = json.loads(text)
        return CompletePush(content["queue"], datetime.fromisoformat(content["at"]), content["waiting"])

    def sent_as_of(self, now: datetime) -> datetime | None:
        """As-of of the newest queue that was sent; one in the future was sent by a clock ahead, and does not count."""
        said = self._store.remembered(_SENT_AS_OF)
        sent = datetime.fromisoformat(said) if said else None
        return sent if sent and sent <= now + SKEW else None

    def note_sent(self, as_of: datetime) -> None:
        """Record the as-of of a queue that was sent."""
        said = as_of.astimezone(UTC).isoformat()
        if self._store.remembered(_SENT_AS_OF) != said:
            with self._store.transaction() as connection:
                self._store.remember(connection, _SENT_AS_OF, said)

    def due(self, destination: str, now: datetime) -> str:
        """The first kind of work that is due at a destination although the queue is unchanged; empty if none is.

        A held intent waits for a person, and a rate limit for its end.
        """
        open_there = select(intents.c.intent_id).where(intents.c.destination == destination, intents.c.is_head)
        undelivered = select(event_outbox.c.entry_id).where(
            event_outbox.c.sink == destination,
            event_outbox.c.delivered_at.is_(None),
            event_outbox.c.not_before <= now,
        )
        arrived = intents.c.not_before <= now
        lost = and_(intents.c.state == State.UNKNOWN, arrived)
        died = and_(intents.c.state == State.SENDING, intents.c.lease_until <= now)
        kinds = {
            "an unknown outcome can be looked up": open_there.where(or_(lost, died)),
            "a write waits to be sent": open_there.where(intents.c.state == State.PENDING, arrived),
            "a dead letter is due for its retry": open_there.where(intents.c.state == State.REJECTED, arrived),
            "an event waits to be delivered": undelivered,
        }
        with self._store.reading() as connection:
            return next((kind for kind, query in kinds.items() if connection.execute(query.limit(1)).first()), "")

"""The ledger's memory of events about tickets: which sink is still to be told of what (``telling.py``)."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, select, update

from dagster_project.automation.cloudevents import Event, ticket_event
from dagster_project.automation.ledger.intents import Intent
from dagster_project.automation.ledger.store import Store
from dagster_project.automation.ledger.tables import intents, tellings
from dagster_project.automation.ticket import Ticket

Sinks = Mapping[str, Collection[str]]
"""Who is told of tickets, by name, and of which priorities."""

LEASE = timedelta(minutes=2)
"""For how long after one run began to tell an event no other does."""


@dataclass(frozen=True)
class Telling:
    """One event that one sink is still to be told."""

    telling_id: int
    intent_id: str
    destination: str
    attempts: int
    event: Event


class TellingBook(Store):
    """Events to be told."""

    def order_of(self, intent: Intent) -> str:
        """Orders what is said of one issue at one destination, as text, whichever ledger it is in."""
        return f"{self.born_at:%Y%m%d%H%M%S%f}-{intent.sequence:06d}"

    def announce(
        self, connection: Connection, confirmed: Iterable[tuple[Intent, Ticket]], sinks: Sinks, now: datetime
    ) -> None:
        """Note, within the transaction that counts writes as seen, who is to be told of them.

        A sink is told of tickets of its priorities, and goes on being told of them when their priority changes.
        """
        for intent, ticket in confirmed:
            if intent.destination in sinks:
                continue  # what a sink was told is no ticket
            for sink, priorities in sinks.items():
                if ticket.priority in priorities or _knows(connection, sink, intent):
                    event = ticket_event(intent, ticket, self.order_of(intent))
                    row = {"destination": sink, "event_id": event["id"], "intent_id": intent.intent_id}
                    row |= {"event": json.dumps(event, ensure_ascii=False), "not_before": now, "created_at": now}
                    connection.execute(insert(tellings), row)

    def untold(self, destination: str, now: datetime) -> list[Telling]:
        """What is to be told now, in the order in which it happened."""
        columns = [tellings.c[name] for name in Telling.__dataclass_fields__]
        due = (tellings.c.destination == destination) & tellings.c.told_at.is_(None) & (tellings.c.not_before <= now)
        query = select(*columns).where(due).order_by(tellings.c.telling_id).limit(1000)
        with self.reader.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [Telling(**{**row, "event": json.loads(row["event"])}) for row in rows]

    def begin_to_tell(self, telling: Telling, now: datetime) -> bool:
        """Take an event for telling; False when another run was faster."""
        return self._set(telling, attempts=telling.attempts + 1, not_before=now + LEASE)

    def told(self, telling: Telling, now: datetime) -> None:
        """The sink has it."""
        shown = {"sink": telling.destination, "type": telling.event["type"], "id": telling.event["id"]}
        with self.engine.begin() as connection:
            here = tellings.c.telling_id == telling.telling_id
            connection.execute(update(tellings).where(here).values(told_at=now, reason=""))
            self.note(connection, now, "event told", telling.intent_id, shown)

    def not_told(self, telling: Telling, reason: str, now: datetime, wait: timedelta, *, holds: bool) -> None:
        """The sink does not have it, or may not; ``holds`` keeps everything from the sink for as long as it asked."""
        with self.engine.begin() as connection:
            here = (tellings.c.telling_id == telling.telling_id) & tellings.c.told_at.is_(None)
            values = {"reason": reason, "not_before": now + wait, "hold_until": now + wait if holds else None}
            connection.execute(update(tellings).where(here).values(**values))

    def still_untold(self, since: datetime) -> dict[str, int]:
        """How many events each sink should have been told by then, and was not."""
        late = tellings.c.told_at.is_(None) & (tellings.c.created_at < since)
        query = select(tellings.c.destination, func.count()).where(late).group_by(tellings.c.destination)
        with self.reader.connect() as connection:
            return {str(row[0]): int(row[1]) for row in connection.execute(query)}

    def _set(self, telling: Telling, **values: object) -> bool:
        unchanged = (tellings.c.telling_id == telling.telling_id) & (tellings.c.attempts == telling.attempts)
        with self.engine.begin() as connection:
            taken = connection.execute(update(tellings).where(unchanged, tellings.c.told_at.is_(None)).values(**values))
        return taken.rowcount == 1


def _knows(connection: Connection, sink: str, intent: Intent) -> bool:
    """Whether the sink was told of this ticket before."""
    same = (intents.c.destination == intent.destination) & (intents.c.issue_id == intent.issue_id)
    told = tellings.join(intents, intents.c.intent_id == tellings.c.intent_id)
    query = select(func.count()).select_from(told).where(tellings.c.destination == sink, same)
    return bool(connection.execute(query).scalar_one())

"""The ledger's memory of pulls (``pull.py``): how far each destination was read, and whose tickets markers are on."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from dagster_project.automation.ledger.store import AT_ONCE, Store
from dagster_project.automation.ledger.tables import intents, pulls


@dataclass(frozen=True)
class Held:
    """A ticket as the ledger knows it, whichever state its last write is in."""

    issue_id: str
    url: str


class PullBook(Store):
    """Cursors."""

    def pulled_until(self, destination: str) -> datetime | None:
        """How far the destination was read; None where it never was."""
        query = select(pulls.c.pulled_until).where(pulls.c.destination == destination)
        with self.reader.connect() as connection:
            until: datetime | None = connection.execute(query).scalar_one_or_none()
        return until

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """A block that no other run is in at the same time: whoever lands rows looks first what is there."""
        with self.engine.begin() as connection:
            self.take_turns(connection)
            yield connection

    @contextmanager
    def landing(self, destination: str, until: datetime) -> Iterator[None]:
        """A block that lands, alone, all that was done until then; the cursor moves when it ends well, never back."""
        with self.alone() as connection:
            yield
            query = select(pulls.c.pulled_until).where(pulls.c.destination == destination)
            known: datetime | None = connection.execute(query).scalar_one_or_none()
            _note(connection, destination, pulled_until=max(known, until) if known else until)

    def hold_pulls(self, destination: str, until: datetime) -> None:
        """A rate limit that a read met: nothing goes to the destination before then."""
        with self.alone() as connection:
            _note(connection, destination, hold_until=until)

    def first_intent(self, destination: str) -> datetime | None:
        """When the destination was first to hold a ticket; None if it never was."""
        query = select(func.min(intents.c.created_at)).where(intents.c.destination == destination)
        with self.reader.connect() as connection:
            first: datetime | None = connection.execute(query).scalar_one()
        return first

    def tickets_by_marker(self, destination: str, markers: Collection[str]) -> dict[str, Held]:
        """Whose tickets these markers stand on; a marker that this ledger never sent is left out."""
        named, found = sorted(markers), {}
        for start in range(0, len(named), AT_ONCE):
            chosen = intents.c.marker.in_(named[start : start + AT_ONCE])
            query = select(intents.c.marker, intents.c.issue_id, intents.c.url)
            query = query.where(intents.c.destination == destination, intents.c.is_head, chosen)
            with self.reader.connect() as connection:
                for row in connection.execute(query):
                    found[str(row[0])] = Held(str(row[1]), str(row[2] or ""))
        return found


def _note(connection: Connection, destination: str, **values: Any) -> None:
    own = pulls.c.destination == destination
    if not connection.execute(update(pulls).where(own).values(**values)).rowcount:
        connection.execute(insert(pulls).values(destination=destination, **values))

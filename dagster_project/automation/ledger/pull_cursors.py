"""Pull cursors: the watermark up to which each destination was read for what people did there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from dagster_project.automation.ledger.store import Store, take_turns
from dagster_project.automation.ledger.tables import pull_cursors


class PullCursors:
    """Cursors of one ledger."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def pulled_until(self, destination: str) -> datetime | None:
        """The watermark of a destination; None where nothing was pulled yet."""
        with self._store.reading() as connection:
            return _pulled_until(connection, destination)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """A block that one run at a time is in, in any process: it may read the lake and then append to it."""
        with self._store.transaction() as connection:
            take_turns(connection)
            yield

    @contextmanager
    def advance_cursor(self, destination: str, until: datetime) -> Iterator[None]:
        """An exclusive block that lands everything up to then; if it ends well the cursor advances, never back."""
        with self._store.transaction() as connection:
            take_turns(connection)
            yield
            known = _pulled_until(connection, destination)
            _set(connection, destination, pulled_until=max(known, until) if known else until)

    def rewind(self, destination: str, until: datetime) -> None:
        """Read again what people did since then: to a ticket that the ledger did not know when it was read."""
        with self._store.transaction() as connection:
            take_turns(connection)
            known = _pulled_until(connection, destination)
            if known and known > until:
                _set(connection, destination, pulled_until=until)

    def limit_rate(self, destination: str, until: datetime) -> None:
        """Record a rate limit that a pull met: nothing goes to the destination before then."""
        with self._store.transaction() as connection:
            take_turns(connection)
            _set(connection, destination, limited_until=until)


def _pulled_until(connection: Connection, destination: str) -> datetime | None:
    query = select(pull_cursors.c.pulled_until).where(pull_cursors.c.destination == destination)
    until: datetime | None = connection.execute(query).scalar_one_or_none()
    return until


def _set(connection: Connection, destination: str, **values: Any) -> None:
    own = pull_cursors.c.destination == destination
    if not connection.execute(update(pull_cursors).where(own).values(**values)).rowcount:
        connection.execute(insert(pull_cursors).values(destination=destination, **values))

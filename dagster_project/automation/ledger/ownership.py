"""Ownership: the one home whose writes a ledger records, and the as-of of the newest queue that it sent.

Two homes that shared a ledger would close each other's tickets. The first home that writes becomes the owner, in
``meta``; a ledger without one belongs to whoever writes first.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, select, update

from dagster_project.automation.ledger.store import Store, take_turns
from dagster_project.automation.ledger.tables import audit, event_outbox, intents, pull_cursors
from dagster_project.clock import SKEW
from dagster_project.errors import ConfigurationError
from dagster_project.home_kind import Marker

_HOME, _KIND, _SENT = "home_id", "home_kind", "sent_as_of"
"""Names in ``meta``."""

_LONGEST_WAIT = timedelta(days=2)
"""No write waits longer on purpose: the longest retry is a day."""


class Ownership:
    """Owner of one ledger."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def check(self, home: Marker) -> None:
        """Refuse a ledger that records the writes of another home; nothing is written.

        Raises:
            ConfigurationError: it belongs to another home.
        """
        owner, kind = self._store.remembered(_HOME), self._store.remembered(_KIND)
        if owner and (owner, kind) != (home.home_id, home.kind):
            raise ConfigurationError(
                f"the ledger belongs to another home ({kind}, id {owner[:8]}), this one is {home.kind}, id"
                f" {home.home_id[:8]}; name another database in FEEDBACK_LEDGER_URL, or, if this home has taken that"
                " one's place, say `feedback-control ledger accept`"
            )

    def claim(self, home: Marker) -> None:
        """Make a ledger without an owner this home's.

        Raises:
            ConfigurationError: it belongs to another home.
        """
        self.check(home)
        if self._store.remembered(_HOME):
            return
        with self._store.transaction() as connection:
            take_turns(connection)
            if self._store.remembered(_HOME, connection) is None:  # another home may have been faster
                self._own(connection, home)
        self.check(home)

    def adopt(self, home: Marker, now: datetime) -> None:
        """Give the ledger to a home that has taken its owner's place; the audit log records it.

        Raises:
            ConfigurationError: the owner is a home of another kind.
        """
        with self._store.transaction() as connection:
            take_turns(connection)
            owner, kind = (self._store.remembered(name, connection) for name in (_HOME, _KIND))
            if kind and kind != home.kind:
                raise ConfigurationError(
                    f"the ledger belongs to a {kind} home, and this one is {home.kind}: it needs its own"
                )
            if owner != home.home_id:
                self._own(connection, home)
                detail = {"home": home.home_id, "before": owner or ""}
                self._store.note(connection, now, "ledger adopted", None, detail)

    def _own(self, connection: Connection, home: Marker) -> None:
        self._store.remember(connection, _HOME, home.home_id)
        self._store.remember(connection, _KIND, home.kind)

    def people(self) -> list[str]:
        """Names of those in the audit log who are not this program."""
        with self._store.reading() as connection:
            return sorted(connection.execute(select(audit.c.actor).where(audit.c.actor != "push").distinct()).scalars())

    def sent_as_of(self, now: datetime) -> datetime | None:
        """As-of of the newest queue that was sent; one in the future was sent by a clock ahead, and does not count."""
        said = self._store.remembered(_SENT)
        sent = datetime.fromisoformat(said) if said else None
        return sent if sent and sent <= now + SKEW else None

    def note_sent(self, as_of: datetime) -> None:
        """Record the as-of of a queue that was sent."""
        said = as_of.astimezone(UTC).isoformat()
        if self._store.remembered(_SENT) != said:
            with self._store.transaction() as connection:
                self._store.remember(connection, _SENT, said)

    def repair_future(self, home: Marker, now: datetime) -> list[str]:
        """Bring instants that a run with its clock ahead wrote back to now: what waits for them would wait till then.

        A pull cursor begins anew: what people did since is read again, and landed once.
        """
        self.check(home)
        limit, later = now + _LONGEST_WAIT, now + SKEW
        columns = [
            *((table, name, limit, now) for table, name in _WAITING),
            (intents, "created_at", later, now),
            (intents, "updated_at", later, now),
            (pull_cursors, "pulled_until", later, None),
        ]
        with self._store.reading() as connection:
            wrong = [one for one in columns if connection.execute(_ahead(*one[:3])).first()]
        if not wrong:
            return []
        with self._store.transaction() as connection:
            for table, name, beyond, value in wrong:
                connection.execute(update(table).where(table.c[name] > beyond).values({name: value}))
            names = sorted({f"{table.name}.{name}" for table, name, *_ in wrong})
            self._store.note(connection, now, "clock repaired", None, {"columns": ", ".join(names)})
        return [f"clock: the ledger held instants of the future ({', '.join(names)}); they count as now"]


_WAITING = (
    (intents, "not_before"),
    (intents, "lease_until"),
    (event_outbox, "not_before"),
    (event_outbox, "limited_until"),
    (pull_cursors, "limited_until"),
)


def _ahead(table: Table, name: str, beyond: datetime) -> Any:
    return select(table.c[name]).where(table.c[name] > beyond).limit(1)

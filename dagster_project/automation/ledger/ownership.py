"""Ownership: the one home whose writes a ledger records, and the as-of of the newest queue that it sent.

Two homes that shared a ledger would close each other's tickets. The row is made by the first home that writes. It is no
part of the migrations: a ledger without it belongs to whoever writes first.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, insert, inspect, select, update

from dagster_project.automation.ledger.store import Store, take_turns
from dagster_project.automation.ledger.tables import (
    Instant,
    attempts,
    audit,
    event_outbox,
    intents,
    pull_cursors,
)
from dagster_project.clock import SKEW
from dagster_project.errors import ConfigurationError
from dagster_project.home_kind import Marker

_owner = Table(
    "ledger_home",
    MetaData(),
    Column("id", Integer, primary_key=True),  # always 1
    Column("home_id", String(64), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("sent_as_of", Instant),
)

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
        with self._store.reader.connect() as connection:
            row = _row(connection)
        if row and (row["home_id"], row["kind"]) != (home.home_id, home.kind):
            raise ConfigurationError(
                f"the ledger belongs to another home ({row['kind']}, id {row['home_id'][:8]}), this one is {home.kind},"
                f" id {home.home_id[:8]}; name another database in FEEDBACK_LEDGER_URL, or, if this home has taken that"
                " one's place, run `feedback-control init --adopt-ledger`"
            )

    def claim(self, home: Marker) -> None:
        """Make a ledger without an owner this home's.

        Raises:
            ConfigurationError: it belongs to another home.
        """
        self.check(home)
        with self._store.reader.connect() as connection:
            if _row(connection):
                return
        with self._store.engine.begin() as connection:
            take_turns(connection)
            _owner.create(connection, checkfirst=True)
            if _row(connection) is None:
                connection.execute(insert(_owner).values(id=1, home_id=home.home_id, kind=home.kind))
        self.check(home)  # another home may have been faster

    def adopt(self, home: Marker, now: datetime) -> None:
        """Give the ledger to a home that has taken its owner's place; the audit log records it.

        Raises:
            ConfigurationError: the owner is a home of another kind.
        """
        with self._store.engine.begin() as connection:
            take_turns(connection)
            _owner.create(connection, checkfirst=True)
            before = _row(connection)
            if before and before["kind"] != home.kind:
                raise ConfigurationError(
                    f"the ledger belongs to a {before['kind']} home, and this one is {home.kind}: it needs its own"
                )
            connection.execute(_owner.delete())
            sent = before["sent_as_of"] if before else None
            connection.execute(insert(_owner).values(id=1, home_id=home.home_id, kind=home.kind, sent_as_of=sent))
            detail = {"home": home.home_id, "before": before["home_id"] if before else ""}
            self._store.note(connection, now, "ledger adopted", None, detail)

    def people(self) -> list[str]:
        """Names of those in the audit log who are not this program."""
        with self._store.reader.connect() as connection:
            return sorted(connection.execute(select(audit.c.actor).where(audit.c.actor != "push").distinct()).scalars())

    def sent_as_of(self, now: datetime) -> datetime | None:
        """As-of of the newest queue that was sent; one in the future was sent by a clock ahead, and does not count."""
        with self._store.reader.connect() as connection:
            row = _row(connection)
        sent: datetime | None = row["sent_as_of"] if row else None
        return sent if sent and sent <= now + SKEW else None

    def note_sent(self, as_of: datetime) -> None:
        """Record the as-of of a queue that was sent."""
        with self._store.engine.begin() as connection:
            earlier = _owner.c.sent_as_of.is_(None) | (_owner.c.sent_as_of != as_of)
            connection.execute(update(_owner).where(earlier).values(sent_as_of=as_of))

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
        with self._store.reader.connect() as connection:
            wrong = [one for one in columns if connection.execute(_ahead(*one[:3])).first()]
        if not wrong:
            return []
        with self._store.engine.begin() as connection:
            for table, name, beyond, value in wrong:
                connection.execute(update(table).where(table.c[name] > beyond).values({name: value}))
            names = sorted({f"{table.name}.{name}" for table, name, *_ in wrong})
            self._store.note(connection, now, "clock repaired", None, {"columns": ", ".join(names)})
        return [f"clock: the ledger held instants of the future ({', '.join(names)}); they count as now"]


_WAITING = (
    (intents, "not_before"),
    (intents, "lease_until"),
    (attempts, "limited_until"),
    (event_outbox, "not_before"),
    (event_outbox, "limited_until"),
    (pull_cursors, "limited_until"),
)


def _ahead(table: Table, name: str, beyond: datetime) -> Any:
    return select(table.c[name]).where(table.c[name] > beyond).limit(1)


def _row(connection: Connection) -> Any:
    if not inspect(connection).has_table(_owner.name):
        return None
    return connection.execute(select(_owner)).mappings().first()

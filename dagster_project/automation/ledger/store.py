"""Connections to the ledger's database, its rows as intents, and the one way to append to the audit log."""

from __future__ import annotations

import json
import weakref
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, bindparam, func, insert, not_, select, update
from sqlalchemy.exc import DBAPIError

from dagster_project.automation.ledger import audit as chain
from dagster_project.automation.ledger import engine, tables
from dagster_project.automation.ledger.intents import Grounds, Intent, State
from dagster_project.automation.ledger.tables import audit, audit_end, intents
from dagster_project.errors import ConfigurationError

INTENT = [intents.c[name] for name in Intent.__dataclass_fields__]
"""The columns that make an ``Intent``."""

STILL_OPEN = (intents.c.state.in_([state for state in State if state is not State.CONFIRMED]), not_(intents.c.is_final))
"""A head may still change if one of these holds: each has an index of its own, which both together would not use."""

NO_GROUNDS = Grounds()

AT_ONCE = 500
"""Most values in one statement; databases have a limit."""

# Most of what a push does is these, so they are made once.
_TURN = select(audit_end.c.hash).with_for_update()
_ADD = insert(audit)
_END = update(audit_end).values(audit_id=select(func.max(audit.c.audit_id)).scalar_subquery(), hash=bindparam("link"))


class Store:
    """Connections to one ledger, for this package only; ``reader`` never takes a writer's lock.

    Raises:
        ConfigurationError: the database cannot be reached, or was written by a later version.
    """

    def __init__(self, url: str, *, now: datetime | None = None, actor: str = "push") -> None:
        self.engine = engine.connect(url)
        weakref.finalize(self, self.engine.dispose)
        self.reader = self.engine.execution_options(reading=True)
        self.actor = actor
        try:
            engine.upgrade(self.engine, now or datetime.now(UTC))
            with self.reader.connect() as connection:
                self.born_at: datetime = connection.execute(select(tables.birth.c.born_at)).scalar_one()
        except DBAPIError as error:
            reason = " ".join(str(error.orig).split())
            raise ConfigurationError(
                f"the ledger cannot be used ({reason}); check FEEDBACK_LEDGER_URL and the rights on that database"
            ) from None

    def note(
        self,
        connection: Connection,
        now: datetime,
        event: str,
        intent_id: str | None,
        detail: Mapping[str, Any],
        grounds: Grounds = NO_GROUNDS,
    ) -> None:
        """Append one row to the audit log, within a transaction; concurrent writers wait for each other."""
        self.append(connection, [self.entry(now, event, intent_id, detail, grounds)])

    def entry(
        self, now: datetime, event: str, intent_id: str | None, detail: Mapping[str, Any], grounds: Grounds = NO_GROUNDS
    ) -> dict[str, Any]:
        """A row of the audit log, not yet chained."""
        return {
            "at": now.astimezone(UTC),
            "actor": self.actor,
            "event": event,
            "intent_id": intent_id,
            "detail": json.dumps(detail, sort_keys=True, ensure_ascii=False),
            "basis": grounds.basis,
            "confidence": grounds.confidence,
        }

    def append(self, connection: Connection, entries: Sequence[dict[str, Any]]) -> None:
        """Append several rows to the audit log, as ``note`` appends one."""
        link, rows = take_turns(connection), []
        for entry in entries:
            link = chain.chained(link, entry)
            rows.append({**entry, "hash": link})
        if rows:
            connection.execute(_ADD, rows)
            connection.execute(_END, {"link": link})


def take_turns(connection: Connection) -> str:
    """Wait, within a transaction, for every other writer to finish; returns the last hash of the audit log."""
    return str(connection.execute(_TURN).scalar_one())


def among(connection: Connection, query: Select[Any], column: ColumnElement[str], values: Sequence[str]) -> set[str]:
    """Those of these values, however many, that a query of that column finds."""
    found: set[str] = set()
    for start in range(0, len(values), AT_ONCE):
        found |= set(connection.execute(query.where(column.in_(values[start : start + AT_ONCE]))).scalars())
    return found


def intent_of(row: RowMapping) -> Intent:
    """The intent in a row of ``INTENT``."""
    values = {name: row[name] for name in Intent.__dataclass_fields__}
    return Intent(**{**values, "state": State(values["state"])})

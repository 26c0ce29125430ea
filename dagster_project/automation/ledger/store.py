"""The database under the ledger: its connections, its rows as intents, and the one way to add to the audit log."""

from __future__ import annotations

import json
import weakref
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, bindparam, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from dagster_project.automation.ledger import audit as chain
from dagster_project.automation.ledger import engine, tables
from dagster_project.automation.ledger.intents import Action, Grounds, Intent, State
from dagster_project.automation.ledger.tables import audit, audit_end, intents, umbrella_members
from dagster_project.errors import ConfigurationError

INTENT = [intents.c[name] for name in Intent.__dataclass_fields__]
"""The columns that make an ``Intent``."""

STILL_OPEN = (
    intents.c.state.in_([state for state in State if state is not State.CONFIRMED]),
    intents.c.action.in_([action for action in Action if action is not Action.RESOLVE]),
)
"""A head may still change if one of these holds: each has an index of its own, which both together would not use."""

NO_GROUNDS = Grounds()

AT_ONCE = 500
"""How many values one statement names; databases take so many, and not any number."""

# Most of what a push does is these, so they are made once.
_TURN = select(audit_end.c.hash).with_for_update()
_ADD = insert(audit)
_END = update(audit_end).values(audit_id=select(func.max(audit.c.audit_id)).scalar_subquery(), hash=bindparam("link"))


class Store:
    """Connections to one ledger; ``reader`` never takes a writer's lock.

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

    def take_turns(self, connection: Connection) -> str:
        """Wait, within a transaction, until everybody who writes has finished; the last hash of the audit log."""
        return str(connection.execute(_TURN).scalar_one())

    def among(
        self, connection: Connection, query: Select[Any], column: ColumnElement[str], values: Sequence[str]
    ) -> set[str]:
        """Which of these values, however many, a query of that column finds."""
        found: set[str] = set()
        for start in range(0, len(values), AT_ONCE):
            found |= set(connection.execute(query.where(column.in_(values[start : start + AT_ONCE]))).scalars())
        return found

    def note(
        self,
        connection: Connection,
        now: datetime,
        event: str,
        intent_id: str | None,
        detail: Mapping[str, Any],
        grounds: Grounds = NO_GROUNDS,
    ) -> None:
        """Add to the audit log, within a transaction; whoever adds waits for those before to finish."""
        self.append(connection, [self.entry(now, event, intent_id, detail, grounds)])

    def entry(
        self, now: datetime, event: str, intent_id: str | None, detail: Mapping[str, Any], grounds: Grounds
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
        """Add several rows to the audit log, as ``note`` adds one."""
        link, rows = self.take_turns(connection), []
        for entry in entries:
            link = chain.chained(link, entry)
            rows.append({**entry, "hash": link})
        if rows:
            connection.execute(_ADD, rows)
            connection.execute(_END, {"link": link})

    def verify_audit(self, expected: str | None = None) -> chain.Verification:
        """Walk along the whole audit log; ``expected`` is a hash that an earlier walk ended with."""
        with self.reader.connect() as connection:
            end = connection.execute(select(audit_end.c.audit_id, audit_end.c.hash)).one()
            rows = connection.execution_options(yield_per=1000).execute(select(audit).order_by(audit.c.audit_id))
            return chain.verify((dict(row) for row in rows.mappings()), (end[0], end[1]), expected)

    def history_of(self, issue_id: str) -> list[RowMapping]:
        """The audit rows of one issue, at all destinations, and of the umbrella it is under, oldest first."""
        gathered = select(umbrella_members.c.umbrella_id).where(umbrella_members.c.issue_id == issue_id)
        query = (
            select(audit, intents.c.destination)
            .join(intents, audit.c.intent_id == intents.c.intent_id)
            .where((intents.c.issue_id == issue_id) | intents.c.issue_id.in_(gathered))
            .order_by(audit.c.audit_id)
        )
        with self.reader.connect() as connection:
            return list(connection.execute(query).mappings())


def intent_of(row: RowMapping) -> Intent:
    """The intent in a row of ``INTENT``."""
    values = {name: row[name] for name in Intent.__dataclass_fields__}
    return Intent(**{**values, "action": Action(values["action"]), "state": State(values["state"])})

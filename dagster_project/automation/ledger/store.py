"""Connections to the ledger's database, its rows as intents, and the one way to append to the audit log."""

from __future__ import annotations

import json
import sqlite3
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, bindparam, func, insert, not_, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError, TimeoutError

from dagster_project.automation.ledger import audit as chain
from dagster_project.automation.ledger import engine, tables
from dagster_project.automation.ledger.head import Gap, Head, HeadFile
from dagster_project.automation.ledger.intents import Grounds, Intent, State
from dagster_project.automation.ledger.tables import audit, audit_end, intents
from dagster_project.errors import ConfigurationError, LedgerError

INTENT = [intents.c[name] for name in Intent.__dataclass_fields__]
"""The columns that make an ``Intent``."""

STILL_OPEN = (intents.c.state.in_([state for state in State if state is not State.CONFIRMED]), not_(intents.c.is_final))
"""A head may still change if one of these holds: each has an index of its own, which both together would not use."""

NO_GROUNDS = Grounds()

AT_ONCE = 500
"""Most values in one statement; databases have a limit."""

PLACE = "place:"
"""Beginning of the names in ``meta`` that hold the place of a destination."""


_AFTERWARDS = (
    "the next push then takes the tickets over from the lake, and searches each destination before it opens any"
)

# Most of what a push does is these, so they are made once.
_TURN = select(audit_end.c.hash).with_for_update()
_ADD = insert(audit)
_END = update(audit_end).values(audit_id=select(func.max(audit.c.audit_id)).scalar_subquery(), hash=bindparam("link"))


class Store:
    """Connections to one ledger, for this package only; ``reading`` never takes a writer's lock.

    Raises:
        ConfigurationError: the database cannot be reached, or was written by a later version.
    """

    def __init__(
        self, url: str, *, now: datetime | None = None, actor: str = "push", head: HeadFile | None = None
    ) -> None:
        self.engine = engine.connect(url)
        weakref.finalize(self, self.engine.dispose)
        self._reader = self.engine.execution_options(reading=True)
        self.actor, self.head = actor, head
        kept = head.read() if head else None
        self.head_was_there = kept is not None
        self._places: dict[str, str] | None = None
        try:
            engine.upgrade(self.engine, now or datetime.now(UTC))
            with self._reader.connect() as connection:
                self.born_at: datetime = connection.execute(select(tables.birth.c.born_at)).scalar_one()
                self.ledger_id = str(connection.execute(_meta("ledger_id")).scalar_one())
                self.gap = self._gap(connection, kept)
        except (DBAPIError, sqlite3.Error) as error:
            raise ConfigurationError(f"the ledger cannot be used ({_said(error)}); {self._remedy(error)}") from None

    def _remedy(self, error: Exception) -> str:
        """What to do about a ledger that cannot be opened: a file that is damaged is no matter of rights."""
        file = self.engine.url.database
        if file and _is_damaged(error):
            return (
                f"{file} is damaged: restore it from a backup, or move it (and {Path(file).name}-wal) away;"
                f" {_AFTERWARDS}"
            )
        return "check FEEDBACK_LEDGER_URL and the rights on that database"

    def _gap(self, connection: Connection, kept: Head | None) -> Gap | None:
        """The way in which this database is not the one that the head file was written for; None if it is."""
        if kept is None:
            return None
        if kept.ledger_id != self.ledger_id:
            used = connection.execute(select(intents.c.intent_id).limit(1)).first()
            return Gap.ANOTHER if used else Gap.NEW
        row = connection.execute(select(audit.c.hash).where(audit.c.audit_id == kept.audit_id)).scalar()
        return None if kept.audit_id == 0 or row == kept.hash else Gap.BEHIND

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read transaction.

        Raises:
            LedgerError: the database was lost.
        """
        with _lost(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A write transaction; once it is committed, the head file follows the audit log.

        Raises:
            LedgerError: the database was lost.
        """
        with _lost(), self.engine.begin() as connection:
            for name in ("attempts", "end"):
                connection.info.pop(name, None)
            yield connection
            if tried := connection.info.get("attempts"):  # no row of the log was added for these
                self.note(connection, tried[-1]["at"], "attempt recorded", tried[-1]["intent_id"], {})
            end: tuple[int, str] | None = connection.info.pop("end", None)
        if end and self.head and self.gap is None:
            self.head.write(Head(self.ledger_id, *end, self.places()))

    def follow(self, end: tuple[int, str]) -> None:
        """Make the head file that of this database, whatever it was for before: the gap is dealt with."""
        self.gap, self.head_was_there = None, True
        if self.head:
            self.head.overwrite(Head(self.ledger_id, *end, self.places()))

    def places(self) -> dict[str, str]:
        """The place of each destination that was pushed to, by its name."""
        if self._places is None:
            query = select(tables.meta.c.name, tables.meta.c.value).where(tables.meta.c.name.startswith(PLACE))
            with self.reading() as connection:
                self._places = {str(row[0]).removeprefix(PLACE): str(row[1]) for row in connection.execute(query)}
        return self._places

    def end_of_log(self, connection: Connection) -> tuple[int, str]:
        """Number and hash of the last row of the audit log."""
        row = connection.execute(select(audit_end.c.audit_id, audit_end.c.hash)).one()
        return int(row[0]), str(row[1])

    def remember(self, connection: Connection, name: str, value: str) -> None:
        """Set a value of ``meta``, within a transaction; concurrent writers wait for each other."""
        take_turns(connection)
        self._places = None
        here = tables.meta.c.name == name
        if not connection.execute(update(tables.meta).where(here).values(value=value)).rowcount:
            connection.execute(insert(tables.meta).values(name=name, value=value))

    def remembered(self, name: str, connection: Connection | None = None) -> str | None:
        """A value of ``meta``; within a transaction, as that transaction sees it."""
        if connection is None:
            with self.reading() as reader:
                return self.remembered(name, reader)
        value: str | None = connection.execute(_meta(name)).scalar()
        return value

    def note(
        self,
        connection: Connection,
        now: datetime,
        event: str,
        intent_id: str | None,
        detail: Mapping[str, Any],
        grounds: Grounds = NO_GROUNDS,
        payload: str | None = None,
    ) -> None:
        """Append one row to the audit log, within a transaction; concurrent writers wait for each other."""
        self.append(connection, [self.entry(now, event, intent_id, detail, grounds, payload)])

    def entry(
        self,
        now: datetime,
        event: str,
        intent_id: str | None,
        detail: Mapping[str, Any],
        grounds: Grounds = NO_GROUNDS,
        payload: str | None = None,
    ) -> dict[str, Any]:
        """A row of the audit log, not yet chained; it covers the intent's new ``payload``."""
        return {
            "covers": {} if payload is None else {"payload": chain.sha(payload)},
            "at": now.astimezone(UTC),
            "actor": self.actor,
            "event": event,
            "intent_id": intent_id,
            "detail": json.dumps(detail, sort_keys=True, ensure_ascii=False),
            "basis": grounds.basis,
            "confidence": grounds.confidence,
        }

    def append(self, connection: Connection, entries: Sequence[dict[str, Any]]) -> None:
        """Append several rows to the audit log, as ``note`` appends one; the first covers the attempts just made."""
        link, rows = take_turns(connection), []
        for entry in entries:
            row = {**entry, "covers": _covers(entry["covers"], connection.info.pop("attempts", ()))}
            link = chain.chained(link, row)
            rows.append({**row, "hash": link})
        if rows:
            connection.execute(_ADD, rows)
            connection.execute(_END, {"link": link})
            connection.info["end"] = self.end_of_log(connection)


def _covers(own: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]]) -> str:
    tried = {"attempts": {str(row["attempt_id"]): chain.attempt_digest(row) for row in attempts}} if attempts else {}
    return json.dumps({**own, **tried}, sort_keys=True) if own or tried else ""


def _meta(name: str) -> Select[Any]:
    return select(tables.meta.c.value).where(tables.meta.c.name == name)


@contextmanager
def _lost() -> Iterator[None]:
    try:
        yield
    except (IntegrityError, ProgrammingError):
        raise  # a mistake of this program, and no loss
    except (DBAPIError, TimeoutError, sqlite3.Error) as error:
        if _is_damaged(error):
            raise LedgerError(
                f"the ledger's file is damaged ({_said(error)}); restore it from a backup, or move it away;"
                f" {_AFTERWARDS}"
            ) from error
        raise LedgerError(
            f"the ledger was lost in the middle of the work ({_said(error)}); a later run looks up what was sent"
        ) from error


def _is_damaged(error: Exception) -> bool:
    """True for an SQLite file whose content is broken."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _said(error: Exception) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())


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

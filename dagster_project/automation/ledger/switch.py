"""Stop switch: while it is on, no act begins and none leaves; undoing by a person still works."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from dagster_project.automation.ledger.store import Store, take_turns

_NAME = "stopped"
"""Name in ``meta``; empty when acts may go on."""


@dataclass(frozen=True)
class Stop:
    """Acts are stopped: by whom, since when and why."""

    actor: str
    at: datetime
    reason: str


class Switch:
    """Stop switch of one ledger."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def stopped(self) -> Stop | None:
        """The stop in force."""
        with self._store.reading() as connection:
            return stopped_in(self._store, connection)

    def stop(self, actor: str, reason: str, now: datetime) -> None:
        """Let no act begin or leave from here on; a second stop keeps the first one's name."""
        content = json.dumps({"actor": actor, "at": now.isoformat(), "reason": reason})
        with self._store.transaction() as connection:
            take_turns(connection)
            if stopped_in(self._store, connection) is None:
                self._store.remember(connection, _NAME, content)
            self._store.note(connection, now, "acts stopped", None, {"actor": actor, "reason": reason})

    def resume(self, actor: str, reason: str, now: datetime) -> None:
        """Let acts go on."""
        with self._store.transaction() as connection:
            self._store.remember(connection, _NAME, "")
            self._store.note(connection, now, "acts resumed", None, {"actor": actor, "reason": reason})


def stopped_in(store: Store, connection: Connection) -> Stop | None:
    """The stop in force, as a transaction sees it."""
    text = store.remembered(_NAME, connection)
    if not text:
        return None
    content = json.loads(text)
    return Stop(content["actor"], datetime.fromisoformat(content["at"]), content["reason"])

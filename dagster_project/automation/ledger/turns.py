"""Turns over all proposals of a kind: the last complete one, and of which decision.

A turn is complete only once it says so. One that failed in part, or died, leaves what it began, and is still to be
done: so a sensor compares with the ledger, instead of remembering what it asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from dagster_project.automation.ledger.store import Store

_NAME = "turn:"
"""Beginning of the names in ``meta``, before a kind of proposals; empty while a turn is not complete."""


@dataclass(frozen=True)
class CompleteTurn:
    """A turn that did all it could: of which decision, and when."""

    decision: str
    at: datetime


class Turns:
    """Turns of one ledger."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, kind: str) -> None:
        """Record that a turn is not complete."""
        with self._store.transaction() as connection:
            self._store.remember(connection, _NAME + kind, "")

    def complete(self, kind: str, turn: CompleteTurn) -> None:
        """Record a complete turn."""
        content = {"decision": turn.decision, "at": turn.at.isoformat()}
        with self._store.transaction() as connection:
            self._store.remember(connection, _NAME + kind, json.dumps(content))

    def last(self, kind: str) -> CompleteTurn | None:
        """The last turn, if it is complete."""
        text = self._store.remembered(_NAME + kind)
        if not text:
            return None
        content = json.loads(text)
        return CompleteTurn(content["decision"], datetime.fromisoformat(content["at"]))

"""Ownership: the one home whose writes a ledger records.

Two homes that shared a ledger would close each other's tickets. The first home that writes becomes the owner, in
``meta``; a ledger without one belongs to whoever writes first.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from dagster_project.automation.ledger.store import Store, take_turns
from dagster_project.errors import ConfigurationError
from dagster_project.home_kind import Marker

_HOME, _KIND = "home_id", "home_kind"
"""Names in ``meta``."""


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

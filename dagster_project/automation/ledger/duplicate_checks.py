"""Checks for duplicates: the opening writes whose duplicates at the destination are due to be looked for."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update

from dagster_project.automation.ledger.intents import Intent, State
from dagster_project.automation.ledger.store import INTENT, Store, intent_of
from dagster_project.automation.ledger.tables import intents
from dagster_project.automation.outcomes import Written

_SECOND_CHECK = timedelta(days=1)
_MOST = 1000


class DuplicateChecks:
    """Checks for duplicates of one ledger's writes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def due(self, destination: str, now: datetime, settle: timedelta) -> list[Intent]:
        """Opening writes (also those withdrawn after they had been sent) whose check is due, oldest first.

        It is due a settle time after the confirmation, and again a day later: a clock that jumped, or a request that
        was on its way for hours, would be missed by the first check.
        """
        # What was given up after it had been sent may be there after all.
        ended = or_(intents.c.state == State.CONFIRMED, (intents.c.state == State.WITHDRAWN) & (intents.c.attempts > 0))
        first = intents.c.duplicates_checked_at.is_(None) & (
            func.coalesce(intents.c.confirmed_at, intents.c.updated_at) <= now - settle
        )
        again = (intents.c.duplicate_checks == 1) & (intents.c.duplicates_checked_at <= now - _SECOND_CHECK)
        query = (
            select(*INTENT)
            .where(intents.c.destination == destination, intents.c.sequence == 0)
            .where(intents.c.duplicate_checks < 2, ended, first | again)
            .order_by(intents.c.created_at, intents.c.intent_id)
            .limit(_MOST)
        )
        with self._store.reading() as connection:
            return [intent_of(row) for row in connection.execute(query).mappings()]

    def done(self, intent: Intent, now: datetime) -> None:
        """Record that the duplicates of this write were looked for."""
        self._set(intent, duplicates_checked_at=now, duplicate_checks=intents.c.duplicate_checks + 1)

    def repeat(self, intent: Intent) -> None:
        """Make both checks due again: this write may have a duplicate after all."""
        self._set(intent, duplicates_checked_at=None, duplicate_checks=0)

    def closed(self, intent: Intent, kept: Written, duplicate: Written, now: datetime) -> None:
        """Audit that a duplicate of a write was closed."""
        detail = {"kept": kept.external_id, "closed": duplicate.external_id, "url": duplicate.url}
        with self._store.transaction() as connection:
            self._store.note(connection, now, "duplicate closed", intent.intent_id, detail)

    def _set(self, intent: Intent, **values: object) -> None:
        with self._store.transaction() as connection:
            connection.execute(update(intents).where(intents.c.intent_id == intent.intent_id).values(**values))

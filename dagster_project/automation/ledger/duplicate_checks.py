"""The ledger's memory of the janitor: which tickets' twins are due to be looked for (``janitor.py``)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update

from dagster_project.automation.ledger.intents import Action, Intent, State
from dagster_project.automation.ledger.store import INTENT, Store, intent_of
from dagster_project.automation.ledger.tables import intents
from dagster_project.automation.ticket import ExternalTicket

_SECOND_LOOK = timedelta(days=1)


class SweepBook(Store):
    """Looks for twins."""

    def unswept(self, destination: str, now: datetime, settle: timedelta) -> list[Intent]:
        """Tickets (and creates given up after they had been sent) whose twins are due to be looked for, oldest first.

        That is once a settle time after they were confirmed, and once more a day later: a clock that jumped, or a
        request that was on its way for hours, would be missed by the first look.
        """
        # What was given up after it had been sent may be there after all.
        ended = or_(intents.c.state == State.CONFIRMED, (intents.c.state == State.WITHDRAWN) & (intents.c.attempts > 0))
        first = intents.c.swept_at.is_(None) & (
            func.coalesce(intents.c.confirmed_at, intents.c.updated_at) <= now - settle
        )
        again = (intents.c.sweeps == 1) & (intents.c.swept_at <= now - _SECOND_LOOK)
        query = (
            select(*INTENT)
            .where(intents.c.destination == destination, intents.c.action == Action.CREATE)
            .where(intents.c.sweeps < 2, ended, first | again)
            .order_by(intents.c.created_at, intents.c.intent_id)
            .limit(1000)
        )
        with self.reader.connect() as connection:
            return [intent_of(row) for row in connection.execute(query).mappings()]

    def swept(self, intent: Intent, now: datetime) -> None:
        """This ticket's twins were looked for."""
        one_more = {"swept_at": now, "sweeps": intents.c.sweeps + 1}
        with self.engine.begin() as connection:
            connection.execute(update(intents).where(intents.c.intent_id == intent.intent_id).values(**one_more))

    def sweep_again(self, intent: Intent) -> None:
        """This ticket may have a twin after all."""
        with self.engine.begin() as connection:
            anew = {"swept_at": None, "sweeps": 0}
            connection.execute(update(intents).where(intents.c.intent_id == intent.intent_id).values(**anew))

    def twin_closed(self, kept: Intent, twin: ExternalTicket, now: datetime) -> None:
        """Audit that a younger ticket of the same intent was closed."""
        detail = {"kept": kept.external_id, "closed": twin.external_id, "url": twin.url}
        with self.engine.begin() as connection:
            self.note(connection, now, "twin closed", kept.intent_id, detail)

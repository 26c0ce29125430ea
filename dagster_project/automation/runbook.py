"""The ledger's record of runs, of the search for twins, and of how far others have read."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import func, insert, or_, select, update

from dagster_project.automation.destinations.base import ExternalTicket
from dagster_project.automation.intents import Action, Intent, State
from dagster_project.automation.schema import cursors, intents, runs
from dagster_project.automation.store import INTENT, Store, intent_of

_SECOND_LOOK = timedelta(days=1)


class RunBook(Store):
    """Runs, sweeps and cursors."""

    @contextmanager
    def run(self, destination: str, clock: Callable[[], datetime]) -> Iterator[dict[str, int]]:
        """One run against one destination; what the block counts is kept. A run without an end died."""
        self.run_id = uuid.uuid4().hex
        counts: dict[str, int] = {}
        row = {"run_id": self.run_id, "destination": destination, "started_at": clock(), "counts": "{}", "problem": ""}
        with self.engine.begin() as connection:
            connection.execute(insert(runs), row)
        problem = ""
        try:
            yield counts
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            raise
        finally:
            ended = {"ended_at": clock(), "counts": json.dumps(counts, sort_keys=True), "problem": problem}
            with self.engine.begin() as connection:
                connection.execute(update(runs).where(runs.c.run_id == self.run_id).values(**ended))
            self.run_id = None

    # ---------- twins

    def unswept(self, destination: str, now: datetime, settle: timedelta, limit: int = 1000) -> list[Intent]:
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
            .limit(limit)
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

    # ---------- cursors

    def cursor(self, name: str) -> tuple[int, datetime | None]:
        """How far a reader has come: a position, and an instant; 0 and None at first."""
        query = select(cursors.c.position, cursors.c.instant).where(cursors.c.name == name)
        with self.reader.connect() as connection:
            row = connection.execute(query).one_or_none()
        return (int(row[0]), row[1]) if row else (0, None)

    def move_cursor(self, name: str, position: int, instant: datetime | None) -> None:
        """Remember how far a reader has come."""
        with self.engine.begin() as connection:
            moved = connection.execute(
                update(cursors).where(cursors.c.name == name).values(position=position, instant=instant)
            )
            if not moved.rowcount:
                connection.execute(insert(cursors), {"name": name, "position": position, "instant": instant})

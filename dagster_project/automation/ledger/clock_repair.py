"""Clock repair of the ledger: instants that a run with its clock ahead wrote are brought back to the present."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Table, select, update

from dagster_project.automation.ledger.store import Store
from dagster_project.automation.ledger.tables import event_outbox, intents, pull_cursors
from dagster_project.clock import SKEW

_LONGEST_WAIT = timedelta(days=2)
"""No write waits longer on purpose: the longest retry is a day."""

_WAITING = (
    (intents, "not_before"),
    (intents, "lease_until"),
    (event_outbox, "not_before"),
    (event_outbox, "limited_until"),
    (pull_cursors, "limited_until"),
)


def repair_future(store: Store, now: datetime) -> list[str]:
    """Bring instants that a run with its clock ahead wrote back to now: what waits for them would wait till then.

    A pull cursor begins anew: what people did since is read again, and landed once.
    """
    limit, later = now + _LONGEST_WAIT, now + SKEW
    columns = [
        *((table, name, limit, now) for table, name in _WAITING),
        (intents, "created_at", later, now),
        (intents, "updated_at", later, now),
        (pull_cursors, "pulled_until", later, None),
    ]
    with store.reading() as connection:
        wrong = [one for one in columns if connection.execute(_ahead(*one[:3])).first()]
    if not wrong:
        return []
    with store.transaction() as connection:
        for table, name, beyond, value in wrong:
            connection.execute(update(table).where(table.c[name] > beyond).values({name: value}))
        names = sorted({f"{table.name}.{name}" for table, name, *_ in wrong})
        store.note(connection, now, "clock repaired", None, {"columns": ", ".join(names)})
    return [f"clock: the ledger held instants of the future ({', '.join(names)}); they count as now"]


def _ahead(table: Table, name: str, beyond: datetime) -> Any:
    return select(table.c[name]).where(table.c[name] > beyond).limit(1)

"""Cost of an idle push: independent of the length of the ledger's history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, Table, event, insert, select, update

from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.tables import attempts, intents
from dagster_project.automation.tickets.push import push
from dagster_project.home import Home
from tests.automation.support import CHECKOUT, DELIVERY, NOW, Clock, SimulatedTracker, publish, resolved

PAST = NOW - timedelta(days=90)


@contextmanager
def instructions(engine: Engine) -> Iterator[list[int]]:
    """Counts, in tens, the instructions that SQLite carries out."""
    count = [0]

    def ten_more() -> None:
        count[0] += 1

    def watch(connection: Any, *_: Any) -> None:
        connection.set_progress_handler(ten_more, 10)

    event.listen(engine, "checkout", watch)
    yield count
    event.remove(engine, "checkout", watch)


@dataclass(frozen=True)
class History:
    """A home whose ledger holds one ticket that is over, and as many copies of it as are asked for."""

    home: Home
    ledger: Ledger
    life: dict[Table, list[dict[str, Any]]]

    def lengthen(self, numbers: range) -> None:
        """Copy the one ticket."""
        with self.ledger._store.engine.begin() as connection:
            for number in numbers:
                for table, rows in self.life.items():
                    connection.execute(insert(table), [renamed(row, f"ISS-{number}", number) for row in rows])

    def push(self, now: datetime) -> int:
        """The cost of a push, in instructions of the database."""
        configured = ConfiguredDestination(SimulatedTracker(Clock()))
        with instructions(self.ledger._store.engine) as count:
            report = push(self.home, now=now, destinations=[configured], ledger=self.ledger)
        assert not report.problems
        return count[0]


def renamed(row: dict[str, Any], name: str, number: int) -> dict[str, Any]:
    own = {"intent_id": f"{number:06}{row['intent_id'][6:]}", "subject_id": name, "owner": name}
    changed = row | {column: value for column, value in own.items() if column in row}
    return {column: value for column, value in changed.items() if column != "attempt_id"}


@pytest.fixture
def history(home: Home, ledger: Ledger) -> History:
    tracker = SimulatedTracker(Clock())
    for hours, issue in enumerate((CHECKOUT, replace(CHECKOUT, priority="P2"), resolved(CHECKOUT))):
        publish(home, [issue])
        push(home, now=PAST + timedelta(hours=hours), destinations=[ConfiguredDestination(tracker)], ledger=ledger)
    with ledger._store.engine.begin() as connection:
        connection.execute(update(intents).values(duplicate_checks=2, duplicates_checked_at=PAST))
        life = {
            table: [dict(row) for row in connection.execute(select(table)).mappings()] for table in (intents, attempts)
        }
    assert [row["action"] for row in life[intents]] == ["create", "update", "resolve"]
    return History(home, ledger, life)


def test_a_push_with_nothing_to_do_asks_as_much_of_the_ledger_after_a_long_history(history: History) -> None:
    history.lengthen(range(1, 20))
    publish(history.home, [resolved(CHECKOUT), DELIVERY])
    for days in range(3):  # opened, and checked for duplicates twice
        history.push(NOW + timedelta(days=days, minutes=10))
    short = history.push(NOW + timedelta(days=4))
    history.lengthen(range(20, 420))
    history.push(NOW + timedelta(days=5))  # tells the lake of what was copied
    long = history.push(NOW + timedelta(days=6))
    assert short > 50
    assert long < 1.5 * short

"""Lake export: every try once, every ticket as it is, and no row for a push that did nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update

from dagster_project import lake
from dagster_project.automation import checks
from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.ledger import engine
from dagster_project.automation.ledger.lake_export import export_sync
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.tables import attempts
from dagster_project.automation.ticket import KIND
from dagster_project.automation.tickets.push import push
from dagster_project.home import Home
from dagster_project.lake_tables import schema_of
from tests.automation.support import CHECKOUT, DELIVERY, NOW, Clock, SimulatedTracker, publish, resolved


@contextmanager
def opened(home: Home) -> Iterator[Connection]:
    """The ledger's database, behind its back."""
    opened = engine.connect(home.ledger_url)
    with opened.begin() as connection:
        yield connection
    opened.dispose()


def table(home: Home, name: str) -> list[dict[str, Any]]:
    found = lake.scan(home, name).collect()
    assert dict(found.schema) == schema_of(name)
    return found.sort(found.columns[0]).to_dicts()


def test_every_try_reaches_the_warehouse_once(home: Home) -> None:
    tracker = SimulatedTracker(Clock())
    stages = [[CHECKOUT, DELIVERY], [replace(CHECKOUT, priority="P2"), DELIVERY], [resolved(CHECKOUT), DELIVERY]]
    tracker.fail_with(["lost after", "rejected", "limited"])
    for number, issues in enumerate(stages):
        publish(home, issues)
        for minutes in (0, 6, 12, 18):
            push(
                home, now=NOW + timedelta(hours=number, minutes=minutes), destinations=[ConfiguredDestination(tracker)]
            )
    export_sync(home, Ledger(home.ledger_url), KIND, [])  # as after a run that died in the middle of this
    tries = table(home, "sync_attempts")
    assert len({one["attempt_id"] for one in tries}) == len(tries)
    with opened(home) as connection:
        assert len(tries) == connection.exec_driver_sql("select count(*) from attempts").scalar()
    outcomes = [one["outcome"] for one in tries]
    assert {"unknown", "rejected", "confirmed"} <= set(outcomes) and any(one["kind"] == "look_up" for one in tries)
    snapshot = {one["issue_id"]: one for one in table(home, "sync_snapshot")}
    assert {issue: one["state"] for issue, one in snapshot.items()} == {
        CHECKOUT.issue_id: "confirmed",
        DELIVERY.issue_id: "rejected",
    }
    assert snapshot[CHECKOUT.issue_id]["action"] == "resolve"
    runs = table(home, "sync_runs")
    assert sum(run["created"] for run in runs) == 1 and sum(run["resolved"] for run in runs) == 1
    assert all(run["started_at"] <= run["finished_at"] for run in runs)


def test_a_try_that_another_run_commits_late_reaches_the_warehouse_as_well(home: Home, ledger: Ledger) -> None:
    tracker = SimulatedTracker(Clock())
    publish(home, [CHECKOUT])
    push(home, now=NOW, destinations=[ConfiguredDestination(tracker)])
    with opened(home) as connection:
        connection.exec_driver_sql("drop trigger attempts_no_update")
        connection.execute(update(attempts).values(attempt_id=2_000))  # those before it were another run's to commit
        row = dict(connection.execute(select(attempts)).mappings().one())
    export_sync(home, ledger, KIND, [])
    for number, at in ((1_999, NOW - timedelta(days=2)), (2_001, NOW + timedelta(days=1))):
        with opened(home) as connection:
            connection.execute(insert(attempts), {**row, "attempt_id": number, "at": at})
    export_sync(home, ledger, KIND, [])
    numbers = [one["attempt_id"].partition("-")[2] for one in table(home, "sync_attempts")]
    assert sorted(numbers, key=int) == ["1", "1999", "2000", "2001"]


def test_many_tries_that_were_never_told_are_told_at_once(home: Home, ledger: Ledger) -> None:
    publish(home, [CHECKOUT])
    push(home, now=NOW, destinations=[ConfiguredDestination(SimulatedTracker(Clock()))])
    with opened(home) as connection:
        row = dict(connection.execute(select(attempts)).mappings().one())
        later = [{**row, "attempt_id": n, "at": NOW + timedelta(hours=n)} for n in range(2, 2_502)]
        connection.execute(insert(attempts), later)
    export_sync(home, ledger, KIND, [])
    assert len({one["attempt_id"] for one in table(home, "sync_attempts")}) == 2_501


def test_a_push_with_nothing_to_do_reads_no_file_of_an_earlier_day(home: Home) -> None:
    tracker = SimulatedTracker(Clock())
    for days, issue in enumerate((CHECKOUT, replace(CHECKOUT, priority="P2"))):
        publish(home, [issue])
        push(home, now=NOW + timedelta(days=days), destinations=[ConfiguredDestination(tracker)])
    (earlier,) = (home.lake / "sync_attempts" / f"ingest_date={NOW:%Y-%m-%d}").glob("*.parquet")
    earlier.write_bytes(b"not read")
    assert (
        push(home, now=NOW + timedelta(days=1, hours=1), destinations=[ConfiguredDestination(tracker)]).unchanged == 1
    )


def test_a_push_with_nothing_to_do_is_no_row(home: Home) -> None:
    tracker = SimulatedTracker(Clock())
    publish(home, [CHECKOUT])
    for minutes in range(5):
        push(home, now=NOW + timedelta(hours=minutes), destinations=[ConfiguredDestination(tracker)])
    assert len(table(home, "sync_runs")) == len(table(home, "sync_attempts")) == 1


@pytest.mark.parametrize(("lost", "passes"), [(0, True), (4, False)])
def test_a_destination_that_loses_answers_fails_its_check(home: Home, lost: int, passes: bool) -> None:
    tracker = SimulatedTracker(Clock())
    now = NOW
    publish(home, [replace(CHECKOUT, issue_id=f"ISS-{n}", owner=f"team {n}") for n in range(12)])
    tracker.fail_with(["lost before"] * lost)
    for _ in range(5):
        now += timedelta(minutes=6)
        push(home, now=now, destinations=[ConfiguredDestination(tracker)])
    found = Ledger(home.ledger_url).tries_since(NOW)["sim"]
    assert found == {"confirmed": 12, **({"unknown": lost} if lost else {})}
    assert checks.well_enough(found) is passes

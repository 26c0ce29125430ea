"""The ledger on a real PostgreSQL: exactly once, with runs that are really concurrent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from dagster_project import lake
from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.event_file import EventFile
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.tickets.push import PushReport, push
from dagster_project.home import Home
from tests.automation.ledger import test_any_payload
from tests.automation.postgres import empty, needs_postgresql, postgresql
from tests.automation.support import BORN, CHECKOUT, DELIVERY, NOW, Clock, SimulatedTracker, publish

pytestmark = needs_postgresql


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A throw-away cluster; its URL."""
    with postgresql() as url:
        yield url


@pytest.fixture
def shared(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose ledger is an empty database there."""
    monkeypatch.setenv("FEEDBACK_LEDGER_URL", server)
    empty(server)
    return Home.locate(tmp_path)


def test_two_runs_at_once_make_the_tables_and_open_each_ticket_once(shared: Home) -> None:
    issues = [replace(CHECKOUT, issue_id=f"ISS-{number}", owner=f"team {number % 4}") for number in range(24)]
    publish(shared, issues)
    tracker, together = SimulatedTracker(Clock()), threading.Barrier(2)
    tracker.meanwhile = lambda: time.sleep(0.002)

    def run(_: int) -> PushReport:
        together.wait()
        return push(
            shared, now=NOW, destinations=[ConfiguredDestination(tracker)], ledger=Ledger(shared.ledger_url, now=BORN)
        )

    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(run, range(2)))
    assert sum(report.created for report in reports) == tracker.writes == 24
    assert not any(report.problems for report in reports)
    assert Ledger(shared.ledger_url).verify_audit().holds


def test_a_lost_answer_is_looked_up_and_the_log_cannot_be_changed(shared: Home) -> None:
    publish(shared, [CHECKOUT, DELIVERY])
    tracker = SimulatedTracker(Clock())
    Ledger(shared.ledger_url, now=BORN)
    tracker.fail_with(["lost after", "lost before"])
    assert push(shared, now=NOW, destinations=[ConfiguredDestination(tracker)]).unknown == 2
    assert push(shared, now=NOW + timedelta(minutes=5), destinations=[ConfiguredDestination(tracker)]).created == 2
    assert len(tracker.records) == 2
    ledger = Ledger(shared.ledger_url)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), ledger._store.engine.begin() as connection:
        connection.execute(sa.text("update audit set actor = 'somebody else'"))
    assert ledger.verify_audit().holds


def test_two_runs_at_once_tell_each_event_once(shared: Home) -> None:
    publish(shared, [replace(CHECKOUT, issue_id=f"ISS-{number}", owner=f"team {number}") for number in range(8)])
    tracker, together = SimulatedTracker(Clock()), threading.Barrier(2)
    Ledger(shared.ledger_url, now=BORN)

    def run(_: int) -> PushReport:
        together.wait()
        return push(
            shared,
            now=NOW,
            destinations=[ConfiguredDestination(EventFile(shared.events)), ConfiguredDestination(tracker)],
        )

    for _ in range(2):  # what one run was still telling while the other ended is told by the next
        with ThreadPoolExecutor(2) as pool:
            assert not any(report.problems for report in pool.map(run, range(2)))
    events = [json.loads(line) for line in shared.events.read_text().splitlines()]
    landed = lake.scan(shared, "ticket_events").filter(pl.col("destination") == "sim").collect()["event_id"]
    told = sorted(event["id"] for event in events if ".ticket." in event["type"])
    assert told == sorted(landed) and len(told) == 8 and len(events) == 16
    assert Ledger(shared.ledger_url).verify_audit().holds


def test_a_payload_that_is_no_ticket_has_actions_of_its_own(shared: Home) -> None:
    test_any_payload.live(Ledger(shared.ledger_url))

"""Exactly one ticket per issue and destination, with lost answers, dying runs and concurrent runs.

The tracker is simulated, so that its writes can fail in every way and its look-ups can lag. One test takes the claim
away, to show that the suite can fail. Randomised histories are in ``test_histories.py``.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.local import LocalTracker, list_tickets
from dagster_project.automation.ledger import engine
from dagster_project.automation.ledger.intents import NOT_THERE, Intent, State
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ticket import Ticket
from dagster_project.automation.tickets.issues import Issue
from dagster_project.automation.tickets.push import push
from dagster_project.home import Home
from tests.automation.support import (
    BORN,
    CHECKOUT,
    DELIVERY,
    NOW,
    Clock,
    SimulatedTracker,
    World,
    publish,
    resolved,
)

FAULTS = ("ok", "refused", "limited", "rejected", "unauthorized", "lost before", "lost after", "broken after")


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch) -> dict[Path, World]:
    """Let pushes read a world's queue directly, and the disk take its time: neither is what is tested here."""
    worlds: dict[Path, World] = {}
    prepare = engine.prepare_sqlite

    def prepare_fast(connection: sqlite3.Connection, record: object) -> None:
        prepare(connection, record)
        connection.execute("pragma synchronous = off")

    monkeypatch.setattr(engine, "prepare_sqlite", prepare_fast)
    monkeypatch.setattr(
        "dagster_project.automation.tickets.push.read_queue", lambda home, *_, **__: worlds[home.root].issues
    )
    return worlds


def world(queue: dict[Path, World], root: Path, tracker: type[SimulatedTracker] = SimulatedTracker) -> World:
    clock = Clock()
    made = World(root, tracker(clock), clock)
    queue[made.home.root] = made
    return made


PHASES: list[list[Issue]] = [
    [CHECKOUT, DELIVERY],
    [replace(CHECKOUT, priority="P2", feedback_count=200), DELIVERY],
    [resolved(CHECKOUT), replace(DELIVERY, priority="P1")],
]


@pytest.mark.long
@pytest.mark.parametrize("phase", range(len(PHASES)))
@pytest.mark.parametrize("fault", ["lost after"])  # the other faults: test_histories.py
def test_a_run_may_die_at_any_step(queue: dict[Path, World], tmp_path: Path, phase: int, fault: str) -> None:
    for dies_at in range(1, 100):
        here = world(queue, tmp_path / str(dies_at))
        for issues in PHASES[:phase]:
            here.issues = issues
            here.run()
        here.tracker.fail_next(fault)
        here.issues = PHASES[phase]
        survived = here.run(dies_at=dies_at) is not None
        here.heal()
        here.assert_exactly_once()
        if survived:
            assert dies_at > 10
            return
    pytest.fail("the run has no end")


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_alone(queue: dict[Path, World], tmp_path: Path, fault: str) -> None:
    here = world(queue, tmp_path)
    for issues in PHASES:
        here.tracker.fail_next(fault)
        here.issues = issues
        here.run()
        here.heal()
        here.clock.pass_(days=1)  # what was refused for its own sake is tried again after a day
        here.heal()
        here.assert_exactly_once()


def test_nothing_is_looked_up_before_it_must_be_visible(queue: dict[Path, World], tmp_path: Path) -> None:
    here = world(queue, tmp_path)
    here.tracker.lag = lambda: 59.0
    here.tracker.fail_next("lost after")
    here.issues = [CHECKOUT]
    for _ in range(10):
        here.run()
        here.clock.pass_(seconds=8)
    here.assert_exactly_once()
    assert here.tracker.writes == 1


def test_a_second_run_in_the_middle_of_each_write(queue: dict[Path, World], tmp_path: Path) -> None:
    here = world(queue, tmp_path)
    depth = 0

    def another_run() -> None:
        nonlocal depth
        if depth == 0:
            depth = 1
            here.run()
            depth = 0

    for issues in PHASES:
        here.tracker.meanwhile = another_run
        here.issues = issues
        here.run()
        here.heal()
        here.assert_exactly_once()
    assert here.tracker.writes == 5  # two opened, two updated, one resolved: nothing twice


def test_two_threads_on_one_ledger(queue: dict[Path, World], tmp_path: Path) -> None:
    here = world(queue, tmp_path)
    here.issues = [replace(CHECKOUT, issue_id=f"ISS-{number}") for number in range(12)]
    together = threading.Barrier(2)
    here.tracker.meanwhile = lambda: time.sleep(0.002)

    def run(_: int) -> int:
        together.wait()
        report = push(here.home, now=NOW, destinations=[ConfiguredDestination(here.tracker)])
        assert not report.problems
        return report.created

    with ThreadPoolExecutor(2) as pool:
        created = list(pool.map(run, range(2)))
    assert sum(created) == here.tracker.writes == 12
    here.heal()
    here.assert_exactly_once()


def test_without_the_claim_two_runs_duplicate(
    queue: dict[Path, World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = Ledger.claim

    def careless(self: Ledger, intent: Intent, action: object, ticket: Ticket, now: datetime) -> Intent | None:
        claimed = claim(self, intent, action, ticket, now)  # type: ignore[arg-type]
        return claimed or replace(intent, state=State.SENDING)

    monkeypatch.setattr(Ledger, "claim", careless)
    monkeypatch.setattr("dagster_project.automation.tickets.delivery.next_step", _ignoring_claims)
    with pytest.raises(AssertionError):
        test_a_second_run_in_the_middle_of_each_write(queue, tmp_path)


def _ignoring_claims(head: Intent | None, *rest: object) -> object:
    from dagster_project.automation.ledger.intents import next_step

    if head is not None and head.state is State.SENDING:
        head = replace(head, state=NOT_THERE[0], not_before=NOW)
    return next_step(head, *rest)  # type: ignore[arg-type]


def test_a_lost_ledger_does_not_open_every_ticket_anew(queue: dict[Path, World], tmp_path: Path) -> None:
    here = world(queue, tmp_path)
    here.issues = [CHECKOUT, DELIVERY]
    here.run()
    for file in here.home.root.glob("ledger.sqlite*"):
        file.unlink()
    here.issues = [replace(CHECKOUT, priority="P2"), DELIVERY]
    here.heal()  # its ledger begins now, after the issues did
    here.assert_exactly_once()


PUSH = """
import sys
from datetime import datetime
from pathlib import Path
from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.local import LocalTracker
from dagster_project.automation.tickets.push import push
from dagster_project.home import Home
home, now = Home.locate(sys.argv[1]), datetime.fromisoformat(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
local = ConfiguredDestination(LocalTracker(home.tickets))
push(home, now=now, destinations=[local], progress=lambda line: print(line, flush=True))
"""


def start(home: Home, now: datetime) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PUSH, str(home.root), now.isoformat()]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, cwd=Path(__file__).parents[3], env={**os.environ}, **pipes)  # type: ignore[call-overload]
    assert process.stdout.readline() == "ready\n"
    return process  # type: ignore[no-any-return]


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def close(process: subprocess.Popen[str]) -> int:
    status = process.wait(timeout=60)
    for pipe in (process.stdin, process.stdout):
        assert pipe
        pipe.close()
    return status


def test_two_processes_and_a_real_folder(tmp_path: Path) -> None:
    home = Home.locate(tmp_path)
    issues = [
        replace(CHECKOUT, issue_id=f"ISS-{number}", product=f"shop {number}", owner=f"team {number % 4}")
        for number in range(20)
    ]
    publish(home, issues)
    Ledger(home.ledger_url, now=BORN)
    processes = [start(home, NOW), start(home, NOW)]
    for process in processes:
        go(process)
    assert [close(process) for process in processes] == [0, 0]
    tickets = list_tickets(home.tickets)
    assert len(tickets) == len({ticket.title for ticket in tickets}) == 20


def test_kill_minus_nine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, dice = Home.locate(tmp_path), random.Random(4)
    issues = [
        replace(CHECKOUT, issue_id=f"ISS-{number}", product=f"shop {number}", owner=f"team {number % 4}")
        for number in range(24)
    ]
    publish(home, issues)
    Ledger(home.ledger_url, now=BORN)
    now = NOW
    for _ in range(4):
        process = start(home, now)
        go(process)
        assert process.stdout
        process.stdout.readline()
        time.sleep(dice.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        close(process)
        now += timedelta(minutes=3)
    monkeypatch.setattr("dagster_project.automation.tickets.push.read_queue", lambda *_, **__: issues)
    for _ in range(3):
        now += timedelta(minutes=3)
        push(home, now=now, destinations=[ConfiguredDestination(LocalTracker(home.tickets))])
    tickets = list_tickets(home.tickets)
    assert len(tickets) == len({ticket.title for ticket in tickets}) == 24

"""Randomised histories: exactly one ticket per issue, whatever fails, in any order.

Hypothesis drives a target whose look-ups lag up to five minutes behind its writes, and makes everything go wrong that
the promise names: refused, limited, rejected, timed out before and after the commit, broken answers, requests that a
proxy delivers twice, processes that die between any two steps, runs that overlap, clocks that jump. After each history
the world is healed and counted.

    python -m pytest tests/automation/ledger/test_histories.py             # some hundred, in every test run
    HISTORIES=10000 python -m pytest tests/automation/ledger/test_histories.py -n 2

The last tests take a part of the protocol away, to show that the same histories then fail.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from dagster_project.automation.ledger import engine
from dagster_project.automation.ledger.duplicate_checks import DuplicateChecks
from dagster_project.automation.ledger.intents import State
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ticket import ExternalTicket, Ticket
from dagster_project.automation.tickets import brief
from tests.automation.support import BORN, CHECKOUT, DELIVERY, Clock, SimulatedTracker, World, resolved

pytestmark = pytest.mark.long

HISTORIES = int(os.environ.get("HISTORIES", "200"))
FAULTS = ("refused", "limited", "rejected", "unauthorized", "lost before", "lost after", "broken after", "twice")
LAG_SECONDS = 300

SETTINGS = settings(
    max_examples=HISTORIES,
    stateful_step_count=14,
    deadline=None,
    derandomize="HISTORIES" not in os.environ,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class LaggingTracker(SimulatedTracker):
    """A target with a clock of its own, that notices a write repeated without a look-up in between."""

    settle_seconds = float(LAG_SECONDS)

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.uncertain: set[str] = set()
        self.unreconciled = 0

    def create(self, ticket: Ticket) -> ExternalTicket:
        """As any target; what has no definite answer stays uncertain until somebody looks."""
        self.unreconciled += ticket.marker in self.uncertain
        self.uncertain.add(ticket.marker)
        try:
            created = super().create(ticket)
        except Exception as error:
            certain = ("connection refused", "slow down", "malformed", "token is wrong")
            if any(words in str(error) for words in certain):
                self.uncertain.discard(ticket.marker)
            raise
        self.uncertain.discard(ticket.marker)
        return created

    def find_by_marker(self, marker: str, since: datetime | None = None) -> list[ExternalTicket]:
        """The tickets that the index has caught up with."""
        found = super().find_by_marker(marker, since)
        self.uncertain.discard(marker)
        return found


class DeduplicatingTracker(SimulatedTracker):
    """A target that takes a marker only once, like PagerDuty; what was not asked for cannot be looked up."""

    settle_seconds = 30.0
    repeats_safely = True
    find_by_marker = None  # type: ignore[assignment]
    read = None  # type: ignore[assignment]

    def _open(self, ticket: Ticket, visible_at: datetime) -> ExternalTicket:
        there = next((record for record in self.records if record.ticket.marker == ticket.marker), None)
        return self._set(str(there.number), ticket) if there else super()._open(ticket, visible_at)


class History(RuleBasedStateMachine):
    """One stretch of life of two issues at one target."""

    tracker_kind: type[SimulatedTracker] = LaggingTracker

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=_memory()))
        self.truth = Clock()  # the target's time; ours may jump
        self.tracker = self.tracker_kind(self.truth)
        _reset_ledger()
        self.world = World(self.folder, self.tracker, Clock())
        self.world.issues = [CHECKOUT, replace(DELIVERY, priority="P2")]
        self.jumped = self.delivered_twice = False
        self.faults: list[str] = []
        _WORLDS[self.world.home.root] = self.world

    @rule(which=st.integers(0, 1), priority=st.sampled_from(["P1", "P2"]), over=st.booleans())
    def issue_changes(self, which: int, priority: str, over: bool) -> None:
        changed = replace(self.world.issues[which], priority=priority, status="open", resolved_at=None)
        self.world.issues[which] = resolved(changed) if over else changed

    @rule(seconds=st.sampled_from([1, 20, 61, 200, 301, 900]))
    def time_passes(self, seconds: int) -> None:
        self.truth.pass_(seconds=seconds)
        self.world.clock.pass_(seconds=seconds)

    @rule(minutes=st.integers(-20, 20))
    def our_clock_jumps(self, minutes: int) -> None:
        self.world.clock.pass_(minutes=minutes)
        self.jumped = self.jumped or minutes != 0

    @rule(
        faults=st.lists(st.sampled_from(("ok", *FAULTS)), max_size=4),
        lag=st.integers(0, LAG_SECONDS - 1),
        dies_at=st.none() | st.integers(1, 40),
        second=st.none() | st.tuples(st.integers(1, 6), st.none() | st.integers(1, 30)),
    )
    def a_run(self, faults: list[str], lag: int, dies_at: int | None, second: tuple[int, int | None] | None) -> None:
        self.tracker.lag = lambda: float(lag)
        self.tracker.fail_with(self._noticed(faults))
        self.tracker.meanwhile = self._another_run(*second) if second else lambda: None
        self.world.run(dies_at=dies_at)
        self.tracker.meanwhile = lambda: None

    def _noticed(self, faults: list[str]) -> Iterator[str]:
        for fault in faults:
            self.delivered_twice = self.delivered_twice or fault == "twice"
            yield fault

    def _another_run(self, moment: int, dies_at: int | None) -> Callable[[], None]:
        passed = 0

        def meanwhile() -> None:
            nonlocal passed
            passed += 1
            if passed == moment:
                self.world.run(dies_at=dies_at)

        return meanwhile

    def teardown(self) -> None:
        try:
            self._heal()
            self._count()
        finally:
            _WORLDS.pop(self.world.home.root)
            shutil.rmtree(self.folder)

    def _heal(self) -> None:
        self.tracker.behave()
        self.tracker.lag = lambda: 0.0
        for hours in (1, 26, 1, 26, 1):
            self.truth.pass_(hours=hours)
            self.world.clock.pass_(hours=hours)
            assert self.world.run() is not None
            self._a_person_settles()

    def _a_person_settles(self) -> None:
        """Only what could not be looked up and was refused when it was sent again is left to a person."""
        ledger = Ledger(self.world.home.ledger_url)
        for letter in ledger.dead_letters.all():
            if letter.intent.state is not State.HELD:
                continue
            assert isinstance(self.tracker, DeduplicatingTracker), "left to a person without need"
            assert "sent again, it was refused" in letter.intent.reason
            sent = Ticket.from_json(ledger.payload(letter.intent))
            there = [one.seen() for one in self.tracker.records if one.ticket.marker == sent.marker]
            arrived = [(one.external_id, one.url) for one in there if letter.intent.opens or one.says(sent)]
            assert ledger.dead_letters.settle(letter, arrived[0] if arrived else None, self.world.clock.now)

    def _count(self) -> None:
        for issue in self.world.issues:
            records = self.tracker.of(issue)
            twins = [record for record in records if "duplicate of" in record.ticket.note]
            kept = [record for record in records if record not in twins]
            assert len(kept) <= 1, f"{issue.issue_id} has {len(kept)} tickets"
            assert all(twin.closed for twin in twins)
            assert kept or issue.status == "resolved", f"{issue.issue_id} is lost"
            assert not twins or self.jumped or self.delivered_twice, f"{issue.issue_id} was sent twice"
            assert all(record.closed == (issue.status == "resolved") for record in kept)
            wanted = brief.render(issue, self.tracker.name)
            assert issue.status == "resolved" or kept[0].ticket.content_hash == wanted.content_hash
        created = [event for event in self.world.events() if event["event"] == "created"]
        assert len(created) == len({event["issue_id"] for event in created})
        assert isinstance(self.tracker, DeduplicatingTracker) or not getattr(self.tracker, "unreconciled", 0)


# ---------- what makes ten thousand of them possible


_WORLDS: dict[Path, World] = {}


@cache
def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@cache
def _engine() -> Engine:
    """One database in memory for all histories, so that statements are compiled once."""
    shared = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    event.listen(shared, "connect", engine.prepare_sqlite)
    event.listen(shared, "begin", engine._begin_sqlite)
    shared.dispose = lambda close=True: None  # type: ignore[method-assign]
    return shared


@cache
def _template() -> sqlite3.Connection:
    engine.upgrade(_engine(), BORN)
    copy = sqlite3.connect(":memory:")
    _raw().backup(copy)
    return copy


def _raw() -> sqlite3.Connection:
    return _engine().raw_connection().driver_connection  # type: ignore[return-value]


def _reset_ledger() -> None:
    _template().backup(_raw())


@pytest.fixture(autouse=True)
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "connect", lambda url: _engine())
    monkeypatch.setattr(
        "dagster_project.automation.tickets.push.read_queue", lambda home, *_, **__: _WORLDS[home.root].issues
    )
    monkeypatch.setattr("dagster_project.automation.tickets.push.monotonic", lambda: 0.0)  # a history can be told again
    rendered = cache(brief.render)
    monkeypatch.setattr(brief, "render", lambda issue, name, policy=None, plans=(): rendered(issue, name))


def test_exactly_one_ticket_whatever_happens() -> None:
    run_state_machine_as_test(History, settings=SETTINGS)


class AtADeduplicatingTarget(History):
    """The same life at a target that cannot be looked up."""

    tracker_kind = DeduplicatingTracker


def test_a_target_that_deduplicates_by_itself_needs_no_look_up() -> None:
    few = settings(SETTINGS, max_examples=max(50, HISTORIES // 10))
    run_state_machine_as_test(AtADeduplicatingTarget, settings=few)


def test_a_lost_create_whose_retry_is_refused_is_never_given_up() -> None:
    history = AtADeduplicatingTarget()
    history.begin()
    history.a_run(faults=["lost after"], lag=0, dies_at=None, second=None)
    history.issue_changes(which=0, priority="P1", over=True)
    history.time_passes(seconds=61)
    history.a_run(faults=["rejected"], lag=0, dies_at=None, second=None)
    history.teardown()


def test_a_late_retry_undoes_nothing_that_another_run_wrote() -> None:
    history = AtADeduplicatingTarget()
    history.begin()
    history.a_run(faults=["lost after"], lag=0, dies_at=None, second=None)
    history.issue_changes(which=0, priority="P2", over=False)
    history.time_passes(seconds=61)
    history.a_run(faults=[], lag=0, dies_at=None, second=(1, None))
    history.teardown()


# ---------- the suite can fail


class BlindTracker(LaggingTracker):
    """Looking finds nothing: the protocol without its reconcile step."""

    def find_by_marker(self, marker: str, since: datetime | None = None) -> list[ExternalTicket]:
        """Nothing, ever."""
        return []


class WithoutReconcile(History):
    tracker_kind = BlindTracker


class Hasty(LaggingTracker):
    """Looked up at once, before the write can be seen."""

    settle_seconds = 0.0


class WithoutSettleTime(History):
    tracker_kind = Hasty


def told(machine: type[History], faults: list[str]) -> None:
    """One history, step by step: a write goes wrong, a second run comes before it can be seen, then time heals."""
    history = machine()
    history.begin()
    history.a_run(faults=faults, lag=200, dies_at=None, second=None)
    history.time_passes(seconds=61)
    history.a_run(faults=[], lag=0, dies_at=None, second=None)
    history.teardown()


def test_the_whole_protocol_survives_the_story() -> None:
    for fault in FAULTS:
        told(History, [fault])


@pytest.mark.parametrize("machine", [WithoutReconcile, WithoutSettleTime])
def test_without_a_part_of_the_protocol_it_does_not(machine: type[History]) -> None:
    with pytest.raises(AssertionError, match=r"has 2 tickets|was sent twice"):
        told(machine, ["lost after"])


def test_without_the_check_for_duplicates_requests_delivered_twice_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DuplicateChecks, "due", lambda *_: [])
    with pytest.raises(AssertionError, match="has 2 tickets"):
        told(History, ["twice"])


def test_random_histories_find_what_is_missing_too() -> None:
    with pytest.raises(AssertionError, match=r"tickets|twice|lost|unreconciled"):
        run_state_machine_as_test(WithoutReconcile, settings=settings(SETTINGS, max_examples=300))

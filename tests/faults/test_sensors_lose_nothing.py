"""The push sensor loses nothing: work counts as done when it was done, not when a run was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from dagster import DagsterInstance, DagsterRunStatus, RunRequest, SkipReason, build_sensor_context
from dagster._core.test_utils import create_run_for_test
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.automation import sensors
from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.tickets.actions import Action
from dagster_project.automation.tickets.brief import render
from dagster_project.automation.tickets.push import PushReport, push
from dagster_project.home import Home
from dagster_project.resources import HomeResource
from tests.automation.support import CHECKOUT, DELIVERY, NOW, Clock, SimulatedTracker, publish


class Station:
    """The sensor, its cursor, a Dagster instance, and the push that a run would make."""

    def __init__(self, home: Home, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.instance, self.patch = home, instance, monkeypatch
        self.clock = Clock()
        self.tracker, self.cursor = SimulatedTracker(self.clock), ""
        monkeypatch.setattr(sensors, "load_destinations", lambda _: [ConfiguredDestination(self.tracker)])
        monkeypatch.setattr(sensors, "now", lambda: self.clock.now)
        self.decide(CHECKOUT)

    def decide(self, *issues: object) -> None:
        publish(self.home, issues)  # type: ignore[arg-type]
        self.home.outbound.mkdir(parents=True, exist_ok=True)
        (self.home.outbound / "out_tickets.jsonl").write_text(repr(issues))

    def tick(self, **later: float) -> str | None:
        """The reason for the run that the sensor asks for some time later; None if it asks for none."""
        self.clock.pass_(**later)
        context = build_sensor_context(
            instance=self.instance, cursor=self.cursor, resources={"home": HomeResource(root=str(self.home.root))}
        )
        said = sensors.queue_changed(context)
        self.cursor = context.cursor or ""
        assert isinstance(said, RunRequest | SkipReason)
        if isinstance(said, RunRequest):
            assert said.run_key is None  # it would deduplicate for ever
            return said.tags["started_by"]
        return None

    def push(self) -> PushReport:
        return push(self.home, now=self.clock.now, destinations=[ConfiguredDestination(self.tracker)])


@pytest.fixture
def station(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    with DagsterInstance.ephemeral() as instance:
        yield Station(home, instance, monkeypatch)


def test_a_queue_counts_as_sent_only_when_it_was_sent(station: Station) -> None:
    assert station.tick() == "queue not sent to sim yet"
    assert station.tick(minutes=2) == "queue not sent to sim yet"  # that run failed before it did anything
    station.push()
    assert station.tick(minutes=2) is None
    station.decide(CHECKOUT, DELIVERY)
    assert station.tick(seconds=30) == "queue not sent to sim yet"


def test_a_push_that_failed_starts_a_run_by_itself_although_the_queue_is_unchanged(station: Station) -> None:
    station.tracker.fail_with(["unauthorized"])
    assert station.push().failures
    assert station.tick(minutes=5) == "queue not sent to sim yet"
    station.push()
    assert station.tick(minutes=5) is None


def test_an_unknown_outcome_past_its_settle_time_starts_a_run(station: Station) -> None:
    station.tracker.fail_next("lost after")
    station.push()
    assert station.tick(seconds=30) is None
    assert station.tick(seconds=40) == "sim: an unknown outcome can be looked up"


def test_a_run_that_died_while_sending_starts_another_after_its_lease(station: Station) -> None:
    ledger, ticket = Ledger.of(station.home), render(CHECKOUT, "sim")
    ledger.record([(None, Action.CREATE, ticket)], "sim", station.clock.now)
    head = ledger.head(CHECKOUT.issue_id, "sim")
    assert head and ledger.claim(head, Action.CREATE, ticket, station.clock.now)
    assert ledger.pushes.due("sim", station.clock.now + timedelta(minutes=1)) == ""
    assert ledger.pushes.due("sim", station.clock.now + timedelta(minutes=3)) == "an unknown outcome can be looked up"


def test_a_dead_letter_starts_a_run_for_its_daily_retry(station: Station) -> None:
    station.tracker.fail_next("rejected")
    station.push()
    assert station.tick(hours=12) is None
    station.push()  # the day of the destination counts from here
    assert station.tick(hours=13) == "sim: a dead letter is due for its retry"


def test_issues_that_wait_for_the_end_of_quiet_hours_start_a_run(station: Station) -> None:
    station.push()
    ledger_last = Ledger.of(station.home).pushes
    last = ledger_last.last("sim")
    assert last and last.waiting == 0
    ledger_last.complete("sim", type(last)(last.queue, station.clock.now, 3))
    assert station.tick(minutes=10) is None
    assert station.tick(minutes=6) == "issues wait for sim"


def test_a_day_without_a_push_starts_one(station: Station) -> None:
    station.push()
    assert station.tick(hours=20) is None
    assert station.tick(hours=5) == "a day has passed for sim"


@pytest.mark.parametrize("status", [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED])
def test_no_second_run_is_asked_for_while_one_is_queued_or_running(station: Station, status: DagsterRunStatus) -> None:
    create_run_for_test(station.instance, job_name="push", status=status)
    station.clock.now = datetime.now(NOW.tzinfo)
    assert station.tick() is None
    assert station.tick(hours=3) == "queue not sent to sim yet"  # a run that is stuck starves no push


@pytest.mark.parametrize("status", [DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED, DagsterRunStatus.SUCCESS])
def test_a_run_that_is_over_is_no_reason_to_wait(station: Station, status: DagsterRunStatus) -> None:
    create_run_for_test(station.instance, job_name="push", status=status)
    station.clock.now = datetime.now(NOW.tzinfo)
    assert station.tick() == "queue not sent to sim yet"


def test_a_push_that_fails_for_ever_starts_no_run_each_tick(station: Station) -> None:
    asked = sum(station.tick(minutes=3) is not None for _ in range(60))  # three hours of ticks
    assert 6 <= asked <= 9
    station.decide(CHECKOUT, DELIVERY)
    assert station.tick(seconds=30) is not None  # something new is sent at once


@given(steps=st.lists(st.sampled_from(["push", "push fails", "tick", "decide", "hour"]), max_size=8))
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_happens_an_unsent_queue_is_asked_for_within_an_hour(
    steps: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = Home.locate(tmp_path_factory.mktemp("home"))
    with pytest.MonkeyPatch.context() as patch, DagsterInstance.ephemeral() as instance:
        patch.delenv("FEEDBACK_LEDGER_URL", raising=False)
        here, decided, sent = Station(home, instance, patch), 0, -1
        for step in steps:
            match step:
                case "push":
                    here.clock.pass_(minutes=6)
                    sent = decided if not here.push().failures else sent
                case "push fails":
                    here.tracker.fail_with(["unauthorized"] * 3)
                    here.push()
                    here.tracker.behave()
                case "tick":
                    here.tick(seconds=30)
                case "decide":
                    decided += 1
                    here.decide(*[CHECKOUT, DELIVERY][: 1 + decided % 2])
                    (home.outbound / "out_tickets.jsonl").write_text(str(decided))
                case "hour":
                    here.clock.pass_(hours=1)
        if sent != decided:
            assert any(here.tick(minutes=5) for _ in range(13))

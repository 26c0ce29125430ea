"""Event delivery: each sink gets each event once, wherever a run dies and whatever the sink answers."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from dagster_project import lake
from dagster_project.automation import checks
from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.event_file import EventFile
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.tickets.push import PushReport, push
from dagster_project.home import Home
from tests.automation.destinations.test_contract import SUBJECTS
from tests.automation.fake_webhook import SECRET, FakeReceiver
from tests.automation.support import (
    CHECKOUT,
    DELIVERY,
    NOW,
    Clock,
    Fate,
    KilledError,
    MortalLedger,
    SimulatedTracker,
    publish,
    resolved,
)

(WEBHOOK,) = (subject for subject in SUBJECTS if subject.kind == "webhook")
LOWERED = replace(CHECKOUT, priority="P2")
STORY = [[CHECKOUT], [LOWERED], [resolved(LOWERED)]]


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)


class Installation:
    """A home with a tracker, a webhook and a file of events, and runs that may die."""

    def __init__(self, home: Home) -> None:
        self.home, self.now, self.receiver = home, NOW, FakeReceiver()
        self.tracker = SimulatedTracker(Clock())
        sinks = WEBHOOK.destination(self.receiver, settle_seconds=60), EventFile(home.events)
        self.destinations = [*map(ConfiguredDestination, sinks), ConfiguredDestination(self.tracker)]

    def run(self, *, dies_at: int | None = None) -> PushReport | None:
        """One push; None if it was killed."""
        self.now += timedelta(minutes=6)
        self.tracker.fate = fate = Fate(dies_at)
        ledger = MortalLedger(self.home.ledger_url, now=self.now, fate=fate)
        try:
            return push(self.home, now=self.now, destinations=self.destinations, ledger=ledger)
        except KilledError:
            return None
        finally:
            self.steps = fate.steps
            self.tracker.fate = Fate()

    def heal(self) -> None:
        """Nothing goes wrong any more, and every lease passes."""
        for _ in range(3):
            report = self.run()
        assert report is not None and report.problems == []

    def in_lake(self) -> list[str]:
        """The ids of what became of tickets: those of the tracker, as a sink has none."""
        return sorted(lake.scan(self.home, "ticket_events").collect()["event_id"])

    def in_file(self) -> list[str]:
        """The ids of what the file says of tickets."""
        lines = map(json.loads, self.home.events.read_bytes().splitlines())
        return sorted(line["id"] for line in lines if ".ticket." in line["type"])

    def taken(self) -> list[str]:
        """The ids that the webhook's consumer took, each once."""
        return sorted(key for key, event in self.receiver.taken.items() if ".ticket." in event["type"])


@pytest.mark.long
def test_wherever_a_run_dies_each_event_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FEEDBACK_LEDGER_URL", raising=False)
    calm = Installation(Home.locate(tmp_path / "calm"))
    publish(calm.home, STORY[0])
    calm.run()
    for step in range(calm.steps - 12, calm.steps + 1):  # what comes before is proven in test_exactly_once.py
        here = Installation(Home.locate(tmp_path / str(step)))
        publish(here.home, STORY[0])
        assert here.run(dies_at=step) is None
        told = len(here.tracker.records) + 1  # it was opened, if the run came so far; and it is less urgent by now
        publish(here.home, STORY[1])
        here.heal()
        assert here.in_lake() == here.in_file() == here.taken() and len(here.in_lake()) == told, f"died at step {step}"


def test_a_sink_that_is_away_hears_everything_later_and_in_order(home: Home) -> None:
    here = Installation(home)
    here.receiver.down = True
    for issues in STORY:
        publish(home, issues)
        assert here.run() is not None
    assert here.in_file() == here.in_lake() and len(here.in_lake()) == 3 and not here.taken()
    assert Ledger(home.ledger_url).event_outbox.overdue_events(here.now + timedelta(seconds=1)) == {"webhook": 3}
    here.receiver.down = False
    here.now += timedelta(hours=2)
    here.heal()
    assert here.taken() == here.in_lake()
    types = [event["type"].split(".")[2] for event in here.receiver.taken.values() if ".ticket." in event["type"]]
    assert types == ["created", "updated", "closed"]
    assert Ledger(home.ledger_url).event_outbox.overdue_events(here.now + timedelta(days=1)) == {}


@pytest.mark.parametrize("fault", ["timeout after", "500 after", "429", "refused"])
def test_whatever_a_sink_answers_it_has_each_event_once_in_the_end(home: Home, fault: str) -> None:
    here = Installation(home)
    here.receiver.fault, here.receiver.spared = fault, 1  # the first write is the incident's
    publish(home, STORY[0])
    first = here.run()
    assert first and first.created == 3 and len(first.problems) == 1 and "is delivered later" in first.problems[0]
    assert first.stopped == first.problems  # so that the command fails, and the sink's asset
    here.heal()
    assert here.taken() == here.in_lake() == here.in_file()
    posted = Counter(request.headers["webhook-id"] for request in here.receiver.requests)
    assert max(posted.values()) == 2  # once again, with the same id


def test_a_rate_limit_that_telling_met_holds_for_everything_that_goes_there(home: Home) -> None:
    here = Installation(home)
    here.receiver.fault = httpx.Response(429, headers={"retry-after": "3600"})
    here.receiver.spared = 2
    publish(home, [CHECKOUT, DELIVERY])
    here.run()
    asked = len(here.receiver.requests)
    publish(home, [LOWERED, DELIVERY])
    report = here.run()
    assert report and report.deferred and "rate limit" in str(report.problems)
    assert len(here.receiver.requests) == asked
    here.now += timedelta(hours=2)
    here.heal()
    assert here.taken() == here.in_lake() == here.in_file()


def test_an_event_that_is_refused_does_not_stop_the_others(home: Home) -> None:
    here = Installation(home)
    here.receiver.fault, here.receiver.spared = httpx.Response(422, text="odd"), 2
    publish(home, [CHECKOUT, DELIVERY])
    report = here.run()
    assert report and report.rejected == 1 and len(here.taken()) == 1
    here.heal()
    assert len(here.taken()) == 1
    here.now += timedelta(days=1, hours=1)
    here.heal()
    assert here.taken() == here.in_lake()


def test_a_push_to_one_destination_only_leaves_what_is_to_be_told_to_the_next(home: Home) -> None:
    here = Installation(home)
    publish(home, STORY[0])
    sinks = {"webhook": ("P1",), "events": ("P1",)}
    push(home, now=NOW, destinations=here.destinations[2:], sinks=sinks)
    assert here.in_lake() and not here.taken()
    here.heal()
    assert here.taken() == here.in_lake() == here.in_file()


def test_what_a_sink_was_told_is_no_ticket_of_the_warehouse(home: Home) -> None:
    here = Installation(home)
    for issues in STORY:
        publish(home, issues)
        here.run()
    assert set(lake.scan(home, "ticket_events").collect()["destination"]) == {"sim"}
    assert len(here.receiver.taken) > len(here.in_lake())


def test_what_was_told_is_in_the_audit_log(home: Home) -> None:
    here = Installation(home)
    publish(home, STORY[0])
    here.run()
    ledger = Ledger(home.ledger_url)
    told = [
        json.loads(row["detail"]) for row in ledger.history_of(CHECKOUT.issue_id) if row["event"] == "event delivered"
    ]
    assert sorted(one["sink"] for one in told) == ["events", "webhook"]
    assert {one["id"] for one in told} == set(here.in_lake()) and ledger.verify_audit().holds


def test_events_that_wait_for_long_fail_the_check(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:

    here = Installation(home)
    here.receiver.fault, here.receiver.spared = httpx.Response(422, text="odd"), 1
    publish(home, STORY[0])
    here.run()
    result: Any
    for hours, well in ((0.5, True), (2, False)):
        monkeypatch.setattr(checks, "now", lambda hours=hours: here.now + timedelta(hours=hours))
        result = checks.nothing_stale(Ledger(home.ledger_url), "webhook")
        assert result.passed is well
    assert result.metadata["events not delivered"].value == 1

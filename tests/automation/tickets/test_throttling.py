"""Throttling: quiet hours, the cap per owner and hour, and umbrellas."""

from __future__ import annotations

import threading
import time as time_module
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from dagster_project import lake
from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.outcomes import Confirmed
from dagster_project.automation.ticket import ExternalTicket
from dagster_project.automation.tickets import selection
from dagster_project.automation.tickets.actions import Action
from dagster_project.automation.tickets.brief import render
from dagster_project.automation.tickets.issues import Issue
from dagster_project.automation.tickets.push import PushReport, push
from dagster_project.automation.tickets.throttling import Owner, Owners, load_owners
from dagster_project.automation.tickets.ticket_events import export_events
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home
from tests.automation.support import CHECKOUT, DELIVERY, NOW, Clock, SimulatedTracker, publish, resolved

BERLIN = ZoneInfo("Europe/Berlin")
FOUR_AN_HOUR = {"*": Owner(ZoneInfo("UTC"), time(0), time(0), 4)}


@pytest.fixture
def tracker() -> SimulatedTracker:
    return SimulatedTracker(Clock())


@pytest.fixture(autouse=True)
def owners(monkeypatch: pytest.MonkeyPatch) -> Owners:
    monkeypatch.setattr(selection, "load_owners", lambda: FOUR_AN_HOUR)
    return FOUR_AN_HOUR


def several(count: int, start: int = 0, **changes: object) -> list[Issue]:
    names = range(start, start + count)
    return [replace(CHECKOUT, issue_id=f"ISS-{number:02}", **changes) for number in names]  # type: ignore[arg-type]


def pushed(home: Home, tracker: SimulatedTracker, issues: list[Issue], minutes: float = 0) -> PushReport:
    publish(home, issues)
    return push(home, now=NOW + timedelta(minutes=minutes), destinations=[ConfiguredDestination(tracker)])


@pytest.mark.parametrize(
    ("quiet", "local", "is_quiet"),
    [
        (("20:00", "07:00"), "19:59", False),
        (("20:00", "07:00"), "20:00", True),
        (("20:00", "07:00"), "03:00", True),
        (("20:00", "07:00"), "07:00", False),
        (("12:00", "13:00"), "12:30", True),
        (("12:00", "13:00"), "13:00", False),
        (("00:00", "00:00"), "00:00", False),
    ],
)
def test_quiet_hours_are_local_and_may_span_midnight(quiet: tuple[str, str], local: str, is_quiet: bool) -> None:
    owner = Owner(BERLIN, time.fromisoformat(quiet[0]), time.fromisoformat(quiet[1]), 1)
    hour, minute = map(int, local.split(":"))
    assert owner.is_quiet(datetime(2026, 7, 1, hour, minute, tzinfo=BERLIN).astimezone(UTC)) is is_quiet


def test_what_may_wait_is_told_after_the_quiet_hours(
    home: Home, tracker: SimulatedTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = {"*": Owner(ZoneInfo("UTC"), time(11), time(13), 12)}
    monkeypatch.setattr(selection, "load_owners", lambda: night)
    issues = [replace(CHECKOUT, issue_id=f"ISS-{priority}", priority=priority) for priority in ("P1", "P2", "P3", "P4")]
    report = pushed(home, tracker, issues)  # 12:00
    assert (report.created, report.deferred) == (2, 2)
    report = pushed(home, tracker, issues, minutes=61)
    assert (report.created, report.unchanged) == (2, 2)


def test_a_storm_becomes_one_umbrella_ticket_that_follows_its_issues(home: Home, tracker: SimulatedTracker) -> None:
    issues = several(10, priority="P2")
    assert pushed(home, tracker, issues).created == 5  # four on their own, and the umbrella
    umbrella = tracker.records[-1]
    assert umbrella.ticket.title == "[P2] 6 issues at once for checkout-squad"
    assert all(f"`ISS-{number:02}`" in umbrella.ticket.body for number in range(4, 10))
    (*_, confirmed) = Ledger(home.ledger_url).history_of("ISS-09")  # what was done about it was done for all of them
    assert confirmed["event"] == "intent confirmed"
    assert not any(f"`ISS-{number:02}`" in umbrella.ticket.body for number in range(4))

    issues += several(1, start=10, priority="P1")  # the storm goes on: it joins, and makes the umbrella as urgent
    report = pushed(home, tracker, issues, minutes=10)
    assert (report.created, report.updated) == (0, 1)
    assert umbrella.ticket.title == "[P1] 7 issues at once for checkout-squad"

    assert pushed(home, tracker, issues, minutes=90).created == 0  # the hour is over, and nothing is opened twice
    over = [resolved(issue) if number >= 4 else issue for number, issue in enumerate(issues)]
    assert pushed(home, tracker, over, minutes=100).resolved == 1
    assert umbrella.closed and len(tracker.records) == 5
    last = pushed(home, tracker, over, minutes=200).counts
    assert {name: count for name, count in last.items() if count} == {"unchanged": 4}


def test_after_the_storm_new_issues_have_their_own_tickets(home: Home, tracker: SimulatedTracker) -> None:
    issues = several(6)
    pushed(home, tracker, issues)
    report = pushed(home, tracker, issues + several(2, start=6), minutes=61)
    assert (report.created, report.updated) == (2, 0)


def test_the_warehouse_knows_of_an_umbrella_for_each_issue_under_it(home: Home, tracker: SimulatedTracker) -> None:
    issues = several(6)  # two of them gathered
    pushed(home, tracker, issues)
    pushed(home, tracker, issues + several(1, start=6), minutes=10)  # joins
    over = [resolved(issue) for issue in issues + several(1, start=6)]
    pushed(home, tracker, over, minutes=100)
    events = lake.scan(home, "ticket_events").sort("occurred_at").collect()
    assert events["event_id"].is_unique().all()
    told = {issue: events.filter(pl.col("issue_id") == issue) for issue in ("ISS-04", "ISS-05", "ISS-06")}
    assert {issue: one["event"].to_list() for issue, one in told.items()} == {
        "ISS-04": ["created", "updated", "resolved"],
        "ISS-05": ["created", "updated", "resolved"],
        "ISS-06": ["created", "resolved"],
    }
    assert {url for one in told.values() for url in one["url"]} == {tracker.records[4].seen().url}
    assert told["ISS-06"]["occurred_at"][0] >= NOW + timedelta(minutes=10)


def test_an_issue_that_joins_before_the_lake_hears_of_the_umbrella_was_not_in_that_ticket(home: Home) -> None:
    ledger, there = Ledger(home.ledger_url), ExternalTicket("7", "https://tracker.example/7", "", "", closed=False)
    ledger.umbrellas.add("sim", "UMB-1", "me", ["ISS-1"], NOW)
    umbrella = render(replace(CHECKOUT, issue_id="UMB-1"), "sim")
    ledger.record([(None, Action.CREATE, umbrella)], "sim", NOW)
    intent = ledger.head("UMB-1", "sim")
    assert intent and (sent := ledger.claim(intent, Action.CREATE, umbrella, NOW))
    assert ledger.finish(sent, Confirmed(there), NOW, timedelta())
    ledger.umbrellas.add("sim", "UMB-1", "me", ["ISS-2"], NOW + timedelta(minutes=1))  # the run died before its export
    export_events(home, ledger, NOW + timedelta(minutes=2), {})
    assert sorted(lake.scan(home, "ticket_events").collect()["issue_id"]) == ["ISS-1", "UMB-1"]


def test_every_owner_has_an_allowance_of_their_own(home: Home, tracker: SimulatedTracker) -> None:
    issues = [*several(4, owner="a"), *several(4, start=4, owner="b")]
    assert pushed(home, tracker, issues).created == 8
    assert not any("at once" in record.ticket.title for record in tracker.records)


def test_an_umbrella_is_delivered_as_surely_as_an_issue(home: Home, tracker: SimulatedTracker) -> None:
    tracker.fail_with(["ok"] * 4 + ["lost after"])
    report = pushed(home, tracker, several(6))
    assert (report.created, report.unknown) == (4, 1)
    report = pushed(home, tracker, several(6), minutes=5)
    assert (report.created, len(tracker.records)) == (1, 5)


def test_the_seed_is_read_and_its_mistakes_are_named(tmp_path: Path) -> None:
    assert load_owners()["*"].tickets_per_hour == 12
    wrong = tmp_path / "owners.csv"
    header = "owner,timezone,quiet_from,quiet_until,tickets_per_hour\n"
    wrong.write_text(f"{header}*,UTC,00:00,00:00,many\n")
    with pytest.raises(ConfigurationError, match=r"owners.csv, line 2: .*many"):
        load_owners(wrong)
    other = tmp_path / "others.csv"
    other.write_text(f"{header}me,UTC,00:00,00:00,1\n")
    with pytest.raises(ConfigurationError, match="no line for `\\*`"):
        load_owners(other)


def test_an_issue_that_one_run_gathers_gets_no_ticket_from_another(home: Home) -> None:
    ledger, ticket = Ledger(home.ledger_url), render(CHECKOUT, "sim")
    ledger.umbrellas.add("sim", "UMB-1", "me", [CHECKOUT.issue_id], NOW)
    ledger.record([(None, Action.CREATE, ticket)], "sim", NOW)
    assert ledger.head(CHECKOUT.issue_id, "sim") is None
    ledger.record([(None, Action.CREATE, render(DELIVERY, "sim"))], "sim", NOW)
    ledger.umbrellas.add("sim", "UMB-1", "me", [DELIVERY.issue_id], NOW)
    assert ledger.umbrellas.members("sim") == {CHECKOUT.issue_id: "UMB-1"}


def test_two_runs_in_a_storm_tell_of_each_issue_once(home: Home, tracker: SimulatedTracker) -> None:
    issues = several(10)
    publish(home, issues)
    together = threading.Barrier(2)
    tracker.meanwhile = lambda: time_module.sleep(0.002)

    def run(_: int) -> None:
        together.wait()
        push(home, now=NOW, destinations=[ConfiguredDestination(tracker)])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, range(2)))
    push(home, now=NOW + timedelta(minutes=10), destinations=[ConfiguredDestination(tracker)])
    for issue in issues:
        alone = len(tracker.of(issue))
        umbrellas = [record.ticket.body for record in tracker.records if "at once" in record.ticket.title]
        gathered = sum(f"`{issue.issue_id}`" in body for body in umbrellas)
        assert (alone, gathered) in ((1, 0), (0, 1))

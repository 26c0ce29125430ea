"""Simulated people: the tracker reports their acts as a person's, at their instants, and never as a real one's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dagster_project.automation.destinations.local import LocalTracker
from dagster_project.automation.ticket import TicketChange
from dagster_project.automation.tickets.brief import render
from dagster_project.home import Home
from dagster_project.simulation import people
from dagster_project.simulation.people import ACTS, TURNS, Act, act, is_simulated
from dagster_project.simulation.start_over import words_of_people
from tests.automation.support import CHECKOUT

PRESENT = datetime(2026, 6, 30, tzinfo=UTC)
TOUCH = Act("checkout_failure", 2.0, "kim", assignee="kim", status="in progress", comment="I see it.")
CLOSE = Act("checkout_failure", 1.0, "kim", status="done", comment="It is out.")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A demo's home with one ticket, which was opened three days ago."""
    home = Home(tmp_path / "home").marked("demo")
    tracker(home, 3.0).create(render(CHECKOUT, "local"))
    return home


def tracker(home: Home, days: float) -> LocalTracker:
    return LocalTracker(home.tickets, clock=lambda: PRESENT - timedelta(days=days))


def changes(home: Home) -> list[TicketChange]:
    return list(tracker(home, 0.0).changes_since(PRESENT - timedelta(days=30)))


def test_an_act_is_a_persons_change_at_its_instant_and_is_done_once(home: Home) -> None:
    for _ in range(2):
        act(home, PRESENT, PRESENT - timedelta(days=1.5), [TOUCH, CLOSE])
    assert {(one.kind, one.value.split(":")[0], one.occurred_at) for one in changes(home)} == {
        ("status", "in progress", PRESENT - timedelta(days=2)),
        ("assignee", "kim (simulated)", PRESENT - timedelta(days=2)),
        ("comment", "kim (simulated), 2026-06-28 00", PRESENT - timedelta(days=2)),
    }
    assert len(changes(home)) == 3
    told = act(home, PRESENT, PRESENT, [TOUCH, CLOSE])
    assert told == ["2026-06-29 00:00: kim (simulated) on FC-1: done"]
    assert [(one.value, one.resolution) for one in changes(home) if one.kind == "status"] == [
        ("in progress", "open"),
        ("done", "resolved"),
    ]
    assert all(is_simulated(one.actor) for one in changes(home))


def test_who_edits_the_file_afterwards_is_somebody_else_and_is_asked(home: Home) -> None:
    act(home, PRESENT, PRESENT, [TOUCH])
    assert words_of_people(home) == []
    path = home.tickets / "FC-1.md"
    path.write_text(path.read_text().replace("status: in progress", "status: rejected"))
    assert words_of_people(home) == ["tickets that were edited: FC-1"]
    assert [is_simulated(one.actor) for one in changes(home) if one.value == "rejected"] == [False]


def test_nothing_is_done_to_a_ticket_that_is_not_there(tmp_path: Path) -> None:
    assert act(Home(tmp_path), PRESENT, PRESENT) == []


def test_the_demos_turns_and_acts_stand_in_the_order_of_time() -> None:
    assert sorted(TURNS, reverse=True) == list(TURNS)
    assert sorted((one.days for one in ACTS), reverse=True) == [one.days for one in ACTS]
    assert {one.issue_type for one in ACTS} == {"app_crash", "shipping_delivery", "checkout_failure"}


def test_a_demo_that_was_interrupted_goes_on_where_it_was(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "as_of_of_queue", lambda _: PRESENT - timedelta(days=3.0))
    run: list[datetime] = []
    people.play(home, PRESENT, run.append)
    assert run == [PRESENT - timedelta(days=2.1)]

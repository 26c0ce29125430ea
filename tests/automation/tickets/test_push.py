"""One push, from outside: the tracker, the report and the lake."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from dagster_project import lake
from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.base import TicketDestination
from dagster_project.automation.destinations.local import LocalTracker, list_tickets
from dagster_project.automation.destinations.settings import Policy
from dagster_project.automation.ledger.ledger import LEASE, LOSSES_BEFORE_REJECTED, Ledger
from dagster_project.automation.ticket import ExternalTicket, Ticket
from dagster_project.automation.tickets.brief import render
from dagster_project.automation.tickets.issues import Issue, read_queue
from dagster_project.automation.tickets.push import PushReport, push
from dagster_project.errors import ConfigurationError, DecisionError
from dagster_project.home import Home
from dagster_project.lake_tables import schema_of
from tests.automation.support import CHECKOUT, DELIVERY, NOW, Clock, SimulatedTracker, publish, resolved


@pytest.fixture
def tracker() -> SimulatedTracker:
    return SimulatedTracker(Clock())


def counts(report: PushReport) -> dict[str, int]:
    found = {field.name: getattr(report, field.name) for field in fields(report)}
    return {name: value for name, value in found.items() if isinstance(value, int) and value}


def pushed(home: Home, *destinations: TicketDestination, minutes: float = 0, **options: Any) -> PushReport:
    return push(
        home, now=NOW + timedelta(minutes=minutes), destinations=[*map(ConfiguredDestination, destinations)], **options
    )


def events(home: Home) -> pl.DataFrame:
    return lake.scan(home, "ticket_events").sort("occurred_at", "event_id").collect()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and "-shm" not in path.name}


def test_the_life_of_a_ticket(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [CHECKOUT, DELIVERY])
    assert counts(pushed(home, tracker)) == {"created": 2}
    publish(home, [replace(CHECKOUT, priority="P2"), DELIVERY])
    assert counts(pushed(home, tracker, minutes=10)) == {"updated": 1, "unchanged": 1}
    publish(home, [resolved(CHECKOUT), DELIVERY])
    assert counts(pushed(home, tracker, minutes=20)) == {"resolved": 1, "unchanged": 1}
    publish(home, [replace(resolved(CHECKOUT), feedback_count=999), DELIVERY])  # late feedback: history stays
    assert counts(pushed(home, tracker, minutes=30)) == {"unchanged": 1}
    publish(home, [replace(CHECKOUT, feedback_count=999), DELIVERY])
    assert counts(pushed(home, tracker, minutes=40)) == {"updated": 1, "unchanged": 1}
    (record,) = tracker.of(CHECKOUT)
    assert not record.closed and len(record.notes) == 3
    assert tracker.writes == 5


def test_the_second_identical_run_sends_and_writes_nothing(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [CHECKOUT, DELIVERY])
    local = LocalTracker(home.tickets)
    pushed(home, tracker, local)
    pushed(home, tracker, local, minutes=10)  # once in its life, a ticket's twins are looked for
    before, written = files(home.root), tracker.writes
    report = pushed(home, tracker, local, minutes=20)
    assert counts(report) == {"unchanged": 4}
    assert (report.links, report.problems) == ([], [])
    assert tracker.writes == written
    assert files(home.root) == before


def test_the_same_queue_rebuilt_later_sends_nothing(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [CHECKOUT])
    pushed(home, tracker)
    publish(home, [CHECKOUT])  # as_of has moved on
    assert counts(pushed(home, tracker, minutes=60)) == {"unchanged": 1}


def test_a_resolved_issue_that_never_had_a_ticket_sends_nothing(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [resolved(CHECKOUT)])
    assert counts(pushed(home, tracker)) == {}
    assert tracker.writes == 0
    assert Ledger(home.ledger_url).count_by_state() == {}


def test_an_issue_over_before_its_ticket_could_be_opened_gets_none(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [CHECKOUT])
    tracker.fail_next("refused")
    assert counts(pushed(home, tracker)) == {"deferred": 1}
    publish(home, [resolved(CHECKOUT)])
    assert counts(pushed(home, tracker, minutes=10)) == {}
    assert Ledger(home.ledger_url).count_by_state() == {"withdrawn": 1}
    assert not tracker.records
    publish(home, [CHECKOUT])  # late data: it was not over
    assert counts(pushed(home, tracker, minutes=20)) == {"created": 1}


def test_a_dry_run_shows_the_difference_and_touches_nothing(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [CHECKOUT, DELIVERY])
    before = files(home.root)
    report = pushed(home, tracker, dry_run=True)
    assert [(change.action, change.issue_id, change.destination) for change in report.changes] == [
        ("create", CHECKOUT.issue_id, "sim"),
        ("create", DELIVERY.issue_id, "sim"),
    ]
    assert f"+{render(CHECKOUT, 'sim').title}" in report.changes[0].diff
    assert (tracker.writes, counts(report), files(home.root)) == (0, {}, before)

    pushed(home, tracker)
    publish(home, [replace(CHECKOUT, priority="P2"), resolved(DELIVERY)])
    report = pushed(home, tracker, dry_run=True, minutes=10)
    assert [change.action for change in report.changes] == ["update", "resolve"]
    assert "-[P1] Checkout failing" in report.changes[0].diff and "+[P2] Checkout failing" in report.changes[0].diff
    assert "Conversion of this step" not in report.changes[0].diff  # what stays is not shown
    assert tracker.writes == 2


def test_each_destination_gets_its_own_ticket_and_fails_alone(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [CHECKOUT, DELIVERY])
    tracker.fail_next("unauthorized")
    report = pushed(home, tracker, LocalTracker(home.tickets))
    assert counts(report) == {"created": 2, "rejected": 1, "deferred": 1}
    (problem,) = report.problems
    assert problem.startswith("sim: ") and "set SIM_TOKEN" in problem
    assert [ticket.title for ticket in list_tickets(home.tickets)] == [
        render(issue, "local").title for issue in (CHECKOUT, DELIVERY)
    ]


def test_the_most_urgent_goes_first(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [DELIVERY, CHECKOUT])
    pushed(home, tracker)
    assert [record.ticket.priority for record in tracker.records] == ["P1", "P3"]


def test_links_and_progress_name_what_changed(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [CHECKOUT, DELIVERY])
    said: list[str] = []
    report = pushed(home, tracker, progress=said.append)
    assert report.links == ["https://tracker.example/1", "https://tracker.example/2"]
    assert said[0] == f"sim: created 1 {render(CHECKOUT, 'sim').title}"


def test_the_lake_learns_of_each_action_once(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [CHECKOUT, DELIVERY])
    pushed(home, tracker)
    publish(home, [replace(CHECKOUT, priority="P2"), resolved(DELIVERY)])
    pushed(home, tracker, minutes=10)
    pushed(home, tracker, minutes=20)
    found = events(home)
    assert dict(found.schema) == schema_of("ticket_events")
    assert found.select("issue_id", "event", "priority", "external_id").rows() == [
        (CHECKOUT.issue_id, "created", "P1", "1"),
        (DELIVERY.issue_id, "created", "P3", "2"),
        (CHECKOUT.issue_id, "updated", "P2", "1"),
        (DELIVERY.issue_id, "resolved", "P3", "2"),
    ]
    assert found["event_id"].n_unique() == 4
    assert (found["known_at"] == found["occurred_at"]).all()
    assert found["url"].to_list() == [f"https://tracker.example/{number}" for number in (1, 2, 1, 2)]


def test_events_that_a_dead_run_left_behind_reach_the_lake(
    home: Home, tracker: SimulatedTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(home, [CHECKOUT])
    with monkeypatch.context() as patched:
        patched.setattr(lake, "append", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        assert "disk full" in pushed(home, tracker).failures[0]
    assert events(home).height == 0
    assert counts(pushed(home, tracker, minutes=10)) == {"unchanged": 1}
    assert events(home).height == 1


def test_a_run_that_is_interrupted_while_sending_leaves_it_to_be_looked_up(home: Home) -> None:
    class Interrupted(SimulatedTracker):
        def create(self, ticket: Ticket) -> ExternalTicket:
            super().create(ticket)
            raise KeyboardInterrupt

    publish(home, [CHECKOUT])
    tracker = Interrupted(Clock())
    with pytest.raises(KeyboardInterrupt):
        pushed(home, tracker)
    assert Ledger(home.ledger_url).count_by_state() == {"unknown": 1}  # no lease to wait for
    waiting = pushed(home, tracker, minutes=0.5)
    assert counts(waiting) == {"unknown": 1} and "looked up from 12:01:00 UTC on" in waiting.problems[0]
    assert counts(pushed(home, tracker, minutes=2)) == {"created": 1}
    assert len(tracker.records) == 1


def test_what_another_run_is_sending_is_left_to_it(home: Home, ledger: Ledger, tracker: SimulatedTracker) -> None:
    publish(home, [CHECKOUT])
    ticket = render(CHECKOUT, "sim")
    ledger.record([(None, "create", ticket)], "sim", NOW)
    head = ledger.head(CHECKOUT.issue_id, "sim")
    assert head and ledger.claim(head, head.action, ticket, NOW)
    assert counts(pushed(home, tracker, minutes=1)) == {"deferred": 1}
    assert counts(pushed(home, tracker, minutes=LEASE.total_seconds() / 60)) == {"unknown": 1}
    assert counts(pushed(home, tracker, minutes=10)) == {"created": 1}


def test_a_failed_look_up_never_leads_to_a_resend(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [CHECKOUT])
    tracker.fail_next("lost after")
    pushed(home, tracker)
    find = tracker.find_by_marker
    tracker.find_by_marker = lambda *_: 1 / 0  # type: ignore[assignment]
    report = pushed(home, tracker, minutes=10)
    assert counts(report) == {"unknown": 1} and "a look-up failed" in report.problems[0]
    tracker.find_by_marker = find  # type: ignore[method-assign]
    assert counts(pushed(home, tracker, minutes=20)) == {"created": 1}
    assert len(tracker.records) == 1


def test_a_tracker_that_keeps_losing_answers_is_left_alone(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [replace(CHECKOUT, issue_id=f"ISS-{number}") for number in range(10)])
    tracker.fail_with(["lost before"] * 10)
    report = pushed(home, tracker)
    assert counts(report) == {"unknown": 3, "deferred": 7}
    assert "3 outcomes in a row are unknown" in report.problems[-1]


def test_the_younger_of_twins_is_closed_and_says_why(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [CHECKOUT])
    tracker.fail_next("lost after")
    pushed(home, tracker)
    tracker.create(render(CHECKOUT, "sim"))  # something on the way delivered the request twice
    assert counts(pushed(home, tracker, minutes=10)) == {"created": 1}
    assert counts(pushed(home, tracker, minutes=20)) == {"unchanged": 1, "twins": 1}
    kept, twin = tracker.of(CHECKOUT)
    assert (kept.closed, twin.closed) == (False, True)
    assert "duplicate of https://tracker.example/1" in twin.ticket.note
    publish(home, [replace(CHECKOUT, priority="P2")])
    assert counts(pushed(home, tracker, minutes=30)) == {"updated": 1}
    assert kept.ticket.priority == "P2" and twin.ticket.priority == "P1"


def test_a_ticket_found_with_other_words_is_brought_up_to_date(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [CHECKOUT])
    tracker.fail_next("lost after")
    pushed(home, tracker)
    tracker.records[0].ticket = replace(tracker.records[0].ticket, title="renamed by a person")
    assert counts(pushed(home, tracker, minutes=10)) == {"created": 1, "updated": 1}
    assert tracker.records[0].ticket.title == render(CHECKOUT, "sim").title


def test_before_anything_is_decided_the_user_is_told_what_to_do(home: Home, tracker: SimulatedTracker) -> None:
    with pytest.raises(ConfigurationError, match=r"feedback-control --home .* run"):
        pushed(home, tracker)


def test_a_queue_that_breaks_its_contract_is_named_by_issue(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [CHECKOUT, DELIVERY])
    with duckdb.connect(str(home.published)) as connection:
        connection.execute(f"update out_tickets set evidence = 'not json' where issue_id = '{CHECKOUT.issue_id}'")
    report = pushed(home, tracker)
    assert (counts(report), len(report.failures)) == ({"created": 1}, 1)
    assert f"out_tickets, issue {CHECKOUT.issue_id}" in report.failures[0]
    with pytest.raises(DecisionError, match=f"out_tickets, issue {CHECKOUT.issue_id}"):
        read_queue(home)


def test_the_queue_reads_back_as_it_was_published(home: Home) -> None:
    over = resolved(replace(CHECKOUT, issue_id="ISS-0", suspect_release_id=None))
    publish(home, [DELIVERY, CHECKOUT, over, replace(over, issue_id="ISS-1")])
    assert read_queue(home) == [CHECKOUT, DELIVERY]
    assert read_queue(home, ["ISS-0"]) == [over, CHECKOUT, DELIVERY]


def test_an_empty_queue_is_fine(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [])
    assert counts(pushed(home, tracker)) == {}
    assert events(home).height == 0


def under(policy: Policy, home: Home, tracker: SimulatedTracker, *issues: Issue, minutes: float = 0) -> PushReport:
    publish(home, issues)
    return push(home, now=NOW + timedelta(minutes=minutes), destinations=[ConfiguredDestination(tracker, policy)])


def test_only_issues_of_the_wanted_priorities_get_a_ticket_and_keep_it(home: Home, tracker: SimulatedTracker) -> None:
    urgent = Policy(priorities=("P1", "P2"))
    assert under(urgent, home, tracker, CHECKOUT, DELIVERY).created == 1
    assert under(urgent, home, tracker, replace(CHECKOUT, priority="P4"), minutes=5).updated == 1


def test_closing_can_be_left_to_people(home: Home, tracker: SimulatedTracker) -> None:
    upsert = Policy(mode="upsert")
    under(upsert, home, tracker, CHECKOUT)
    assert under(upsert, home, tracker, resolved(CHECKOUT), minutes=5).resolved == 1
    (record,) = tracker.records
    assert not record.closed and "**Resolved" in record.ticket.body
    assert under(upsert, home, tracker, resolved(CHECKOUT), minutes=10).counts["updated"] == 0


@pytest.mark.parametrize("reopen", [True, False])
def test_whether_a_closed_ticket_reopens_is_the_policys_to_say(
    home: Home, tracker: SimulatedTracker, reopen: bool
) -> None:
    policy = Policy(reopen=reopen)
    for minutes, issue in enumerate([CHECKOUT, resolved(CHECKOUT), CHECKOUT]):
        under(policy, home, tracker, issue, minutes=10 * minutes)
    assert tracker.records[0].closed is not reopen


def test_a_template_that_cannot_be_rendered_stops_its_own_destination_only(
    home: Home, tracker: SimulatedTracker, tmp_path: Path
) -> None:
    wrong = Policy(template=tmp_path / "none.j2")
    publish(home, [CHECKOUT])
    destinations = [ConfiguredDestination(tracker, wrong), ConfiguredDestination(LocalTracker(home.tickets))]
    report = push(home, now=NOW, destinations=destinations)
    assert counts(report) == {"created": 1} and len(list_tickets(home.tickets)) == 1
    assert "none.j2 cannot be read" in report.problems[0]


def test_what_gets_lost_every_time_is_left_to_a_person(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [CHECKOUT])
    sent = 0
    for hours in range(3 * LOSSES_BEFORE_REJECTED):
        tracker.fail_next("lost before")
        pushed(home, tracker, minutes=60 * hours)
        sent, before = tracker.writes, sent
    assert sent == before == LOSSES_BEFORE_REJECTED
    letters = Ledger(home.ledger_url).dead_letters
    (letter,) = letters.all()
    assert "sent 8 times and never there" in letter.intent.reason
    letters.replay([letter], NOW + timedelta(days=1))
    tracker.behave()
    assert counts(pushed(home, tracker, minutes=60 * 25)) == {"created": 1}


def test_an_outage_is_waited_for_ever_longer_and_is_no_poison(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [CHECKOUT])
    waits, now = [], NOW
    for _ in range(12):
        tracker.fail_next("refused")
        push(home, now=now, destinations=[ConfiguredDestination(tracker)])
        head = Ledger(home.ledger_url).head(CHECKOUT.issue_id, "sim")
        assert head is not None
        waits.append((head.not_before - now) / timedelta(seconds=tracker.settle_seconds))
        now = head.not_before + timedelta(seconds=1)
    assert [round(wait / waits[0]) for wait in waits[:6]] == [1, 2, 4, 8, 16, 32]
    assert waits[-1] <= 60 * 1.25 + 0.1
    assert counts(pushed(home, tracker, minutes=(now - NOW) / timedelta(minutes=1))) == {"created": 1}

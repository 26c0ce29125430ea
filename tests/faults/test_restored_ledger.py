"""A ledger that is behind: put back, made anew, exchanged, or under another name. Nothing is doubled or closed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dagster_project.automation.destinations import ConfiguredDestination, load_destinations
from dagster_project.automation.destinations.local import LocalTracker, list_tickets
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ticket import ExternalTicket, Ticket
from dagster_project.automation.tickets.issues import Issue
from dagster_project.automation.tickets.pull import pull
from dagster_project.automation.tickets.push import PushReport, push
from dagster_project.cli.main import main
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home
from tests.automation.destinations.test_contract import SUBJECTS, Subject, by_title
from tests.automation.support import (
    BORN,
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

LEDGER = "ledger.sqlite*"


class Post:
    """A destination that can neither be searched nor repeated: mail."""

    name, settle_seconds = "post", 0.0

    def __init__(self) -> None:
        self.sent: list[str] = []

    def create(self, ticket: Ticket) -> ExternalTicket:
        self.sent.append(ticket.issue_id)
        return ExternalTicket(f"M-{len(self.sent)}", "", ticket.title, ticket.body)

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        return ExternalTicket(external_id, "", ticket.title, ticket.body)

    resolve = update


@pytest.fixture
def tracker() -> SimulatedTracker:
    return SimulatedTracker(Clock())


def pushed(home: Home, destination: Any, minutes: float = 0) -> PushReport:
    """A push of the published queue, some time later, with the home's own ledger."""
    return push(home, now=NOW + timedelta(minutes=minutes), destinations=[ConfiguredDestination(destination)])


def moved(home: Home, *patterns: str, to: Path) -> None:
    """Take files and folders of the home away."""
    for pattern in patterns:
        for path in home.root.glob(pattern):
            to.mkdir(exist_ok=True)
            path.rename(to / path.name)


def kept(home: Home, folder: Path, *patterns: str) -> Callable[[], None]:
    """Make a backup of parts of the home; the answer puts it back."""
    for pattern in patterns:
        for path in home.root.glob(pattern):
            copy = shutil.copytree if path.is_dir() else shutil.copy2
            folder.mkdir(exist_ok=True)
            copy(path, folder / path.name)

    def put_back() -> None:
        for pattern in patterns:
            for path in home.root.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in folder.iterdir():
            copy = shutil.copytree if path.is_dir() else shutil.copy2
            copy(path, home.root / path.name)

    return put_back


def assert_as_it_was(tracker: SimulatedTracker, *issues: Issue) -> None:
    for issue in issues:
        (record,) = tracker.of(issue)
        assert record.closed is (issue.status == "resolved"), issue.issue_id


@pytest.mark.parametrize(
    "forgets", [(LEDGER,), (LEDGER, "ledger.head"), (LEDGER, "lake"), (LEDGER, "lake", "ledger.head")]
)
def test_a_ledger_restored_from_a_backup_doubles_no_ticket_and_closes_no_original(
    home: Home, tracker: SimulatedTracker, tmp_path: Path, forgets: tuple[str, ...]
) -> None:
    publish(home, [])
    pushed(home, tracker)
    put_back = kept(home, tmp_path / "backup", *forgets)
    other = replace(DELIVERY, issue_id="ISS-0THER")
    publish(home, [CHECKOUT, DELIVERY, other])
    assert pushed(home, tracker, minutes=10).created == 3
    put_back()
    publish(home, [CHECKOUT, DELIVERY, resolved(other)])
    for minutes in (20, 30, 60, 60 * 25, 60 * 26):
        report = pushed(home, tracker, minutes=minutes)
    assert report.failures == []
    assert_as_it_was(tracker, CHECKOUT, DELIVERY)
    if "ledger.head" not in forgets or "lake" not in forgets:  # else nobody but the tracker knows, and it is not listed
        assert_as_it_was(tracker, resolved(other))
    assert Ledger.of(home).verify_audit().holds


@pytest.mark.parametrize("gone", [(LEDGER,), (LEDGER, "ledger.head"), (LEDGER, "ledger.head", "lake")])
def test_a_ledger_that_was_deleted_is_made_anew_without_a_duplicate(
    home: Home, tracker: SimulatedTracker, tmp_path: Path, gone: tuple[str, ...]
) -> None:
    publish(home, [CHECKOUT, DELIVERY])
    pushed(home, tracker)
    moved(home, *gone, to=tmp_path / "gone")
    publish(home, [replace(CHECKOUT, priority="P2"), DELIVERY])
    for minutes in (10, 20, 60 * 25):
        pushed(home, tracker, minutes=minutes)
    assert_as_it_was(tracker, CHECKOUT, DELIVERY)
    assert tracker.of(CHECKOUT)[0].ticket.priority == "P2"


def test_what_a_restored_ledger_does_is_told_and_audited(home: Home, tracker: SimulatedTracker, tmp_path: Path) -> None:
    publish(home, [])
    pushed(home, tracker)
    put_back = kept(home, tmp_path / "backup", LEDGER)
    publish(home, [CHECKOUT])
    pushed(home, tracker, minutes=10)
    put_back()
    found = Ledger.of(home).verify_audit()
    assert not found.holds and "the database was put back" in found.problems[0]
    report = pushed(home, tracker, minutes=20)
    assert "put back from a backup" in report.problems[0] and "1 tickets were taken over" in report.problems[0]
    assert Ledger.of(home).verify_audit().holds
    assert Ledger.of(home).continuity.unreconciled("sim") is None


def test_a_second_ticket_of_a_restored_ledger_gives_way_to_the_first(home: Home, tracker: SimulatedTracker) -> None:
    publish(home, [CHECKOUT])
    with patch.object(SimulatedTracker, "find_by_marker", lambda *_: []):  # as before there was a search
        pushed(home, tracker)
        first = tracker.records[0]
        tracker.records.insert(0, replace(first, number=1))
        first.number = 2
        ledger = Ledger.of(home)
        head = ledger.head(CHECKOUT.issue_id, "sim")
        assert head
        ledger.rebind(head, first.seen(), NOW)
    pushed(home, tracker, minutes=10)
    original, second = tracker.records
    assert (original.closed, second.closed) == (False, True)
    publish(home, [replace(CHECKOUT, priority="P2")])
    pushed(home, tracker, minutes=20)
    assert original.ticket.priority == "P2"


@pytest.mark.parametrize(
    "kind", [one for one in SUBJECTS if one.kind not in ("webhook", "pagerduty")], ids=lambda one: one.kind
)
def test_a_restored_home_doubles_nothing_at_any_tracker(
    home: Home, tmp_path: Path, kind: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*kind.secret)
    target = kind.fake()
    destination = kind.destination(target)
    publish(home, [CHECKOUT, DELIVERY])
    put_back = kept(home, tmp_path / "backup", "*")
    pushed(home, destination)
    before = by_title(target)
    put_back()  # also the lake and the head file: only the tracker knows
    for minutes in (10, 20, 60 * 25):
        report = pushed(home, destination, minutes=minutes)
        assert report.failures == []
    assert [(one.title, one.closed) for one in by_title(target)] == [(one.title, one.closed) for one in before]


def test_what_people_did_to_a_ticket_of_a_restored_home_is_read(home: Home, tmp_path: Path) -> None:
    local = ConfiguredDestination(LocalTracker(home.tickets))
    publish(home, [DELIVERY])
    push(home, now=NOW, destinations=[local])
    put_back = kept(home, tmp_path / "backup", LEDGER, "ledger.head", "lake")
    publish(home, [CHECKOUT, DELIVERY])
    push(home, now=NOW + timedelta(minutes=5), destinations=[local])
    ticket = home.tickets / "FC-2.md"
    ticket.write_text(ticket.read_text().replace("status: open", "status: not a bug"))
    put_back()
    found = []
    for minutes in (10, 20):
        at = NOW + timedelta(minutes=minutes)
        found.append(pull(home, now=at, destinations=[local]).acts["status"])
        push(home, now=at, destinations=[local])
    assert found == [0, 1]


def test_where_nothing_can_be_searched_nothing_is_opened_before_a_person_says_so(home: Home, tmp_path: Path) -> None:
    post = Post()
    publish(home, [])
    pushed(home, post)
    put_back = kept(home, tmp_path / "backup", LEDGER, "lake")
    publish(home, [CHECKOUT])
    pushed(home, post, minutes=5)
    put_back()
    late = replace(DELIVERY, issue_id="ISS-LATE", detected_at=NOW + timedelta(hours=3))
    publish(home, [CHECKOUT, late])
    report = pushed(home, post, minutes=10)
    assert post.sent == [CHECKOUT.issue_id]
    assert "feedback-control ledger accept post" in report.failures[0]
    Ledger.of(home).continuity.accept("post", "", NOW)
    pushed(home, post, minutes=15)
    assert post.sent == [CHECKOUT.issue_id, CHECKOUT.issue_id, late.issue_id]  # the person's word counts


def test_what_the_lake_knows_is_not_opened_again_where_nothing_can_be_searched(home: Home, tmp_path: Path) -> None:
    post = Post()
    publish(home, [CHECKOUT])
    pushed(home, post)
    moved(home, LEDGER, to=tmp_path / "gone")
    for minutes in (10, 20):
        pushed(home, post, minutes=minutes)
    assert post.sent == [CHECKOUT.issue_id]


def test_the_ledger_of_another_home_is_refused_until_a_person_accepts_it(
    home: Home, tracker: SimulatedTracker, tmp_path: Path
) -> None:
    publish(home, [CHECKOUT])
    pushed(home, tracker)
    other = Home.locate(tmp_path / "other")
    other.root.mkdir()
    publish(other, [DELIVERY])
    pushed(other, SimulatedTracker(Clock()))
    moved(home, LEDGER, to=tmp_path / "gone")
    for file in other.root.glob(LEDGER):
        shutil.copy2(file, home.root)
    with pytest.raises(ConfigurationError, match="feedback-control ledger accept"):
        pushed(home, tracker, minutes=10)
    assert len(tracker.records) == 1
    assert cli(home, "ledger", "status").exit_code == 2
    assert "1 tickets were taken over" in cli(home, "ledger", "accept").stdout
    pushed(home, tracker, minutes=20)
    assert_as_it_was(tracker, CHECKOUT)


@pytest.mark.parametrize("damage", ["text", "cut", "flipped"])
def test_a_ledger_file_that_is_damaged_is_named_with_the_remedy_which_doubles_nothing(
    home: Home, tracker: SimulatedTracker, tmp_path: Path, damage: str
) -> None:
    publish(home, [CHECKOUT])
    pushed(home, tracker)
    file = home.root / "ledger.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()
    content = file.read_bytes()
    broken = {
        "text": b"this is no database " * 99,
        "cut": content[:20_000],
        "flipped": content[:4096] + bytes(byte ^ 0xFF for byte in content[4096:]),
    }
    file.write_bytes(broken[damage])
    for command in (("push",), ("audit", "verify"), ("ledger", "status")):
        said = cli(home, *command)
        assert (said.exit_code > 0, "restore it from a backup, or move it" in said.stderr) == (True, True), command
    moved(home, LEDGER, to=tmp_path / "gone")
    pushed(home, tracker, minutes=10)
    assert len(tracker.records) == 1


def test_issues_under_an_umbrella_stay_there_after_a_restore(
    home: Home, tracker: SimulatedTracker, tmp_path: Path
) -> None:
    storm = [replace(CHECKOUT, issue_id=f"ISS-{number:02}") for number in range(24)]
    publish(home, [])
    pushed(home, tracker)
    put_back = kept(home, tmp_path / "backup", LEDGER)
    publish(home, storm)
    pushed(home, tracker, minutes=1)
    opened = len(tracker.records)
    assert opened < len(storm)
    put_back()
    for minutes in (10, 20, 120):
        pushed(home, tracker, minutes=minutes)
    assert [record.closed for record in tracker.records] == [False] * opened


# ---------- names and places


def cli(home: Home, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home.root), *arguments])


def configured(home: Home, entry: str) -> None:
    (home.root / "destinations.yml").write_text(f"version: 1\ndestinations:\n- {entry}\n- {{kind: events}}\n")


@pytest.mark.parametrize("forgets", [(), (LEDGER,)])
def test_a_renamed_destination_is_refused_with_the_remedy_and_doubles_nothing(
    home: Home, tmp_path: Path, forgets: tuple[str, ...]
) -> None:
    publish(home, [CHECKOUT])
    configured(home, "{kind: local}")
    assert cli(home, "push").exit_code == 0
    moved(home, *forgets, to=tmp_path / "gone")
    configured(home, "{kind: local, name: board}")
    refused = cli(home, "push")
    assert refused.exit_code == 1
    assert "local was named local before" in refused.stderr and "`name: local`" in refused.stderr
    assert len(list_tickets(home.tickets)) == 1
    configured(home, "{kind: local}")
    assert cli(home, "push").exit_code == 0
    assert len(list_tickets(home.tickets)) == 1
    configured(home, "{kind: local, name: board}")
    assert cli(home, "ledger", "accept", "board").exit_code == 0
    assert cli(home, "push").exit_code == 0
    assert len(list_tickets(home.tickets)) == 2  # a person wanted a second set


def test_a_destination_that_moved_is_refused_with_the_remedy(home: Home) -> None:
    publish(home, [CHECKOUT])
    configured(home, "{kind: local, folder: old}")
    assert cli(home, "push").exit_code == 0
    configured(home, "{kind: local, folder: new}")
    refused = cli(home, "push")
    assert refused.exit_code == 1 and "its tickets are not there" in refused.stderr
    assert list_tickets(home.root / "new") == []


def test_two_entries_for_one_place_are_no_renaming(home: Home) -> None:
    both = "version: 1\ndestinations:\n- {kind: local}\n- {kind: local, name: urgent, priorities: [P1]}\n"
    (home.root / "destinations.yml").write_text(both)
    publish(home, [CHECKOUT])
    assert cli(home, "push").exit_code == 0
    assert len(load_destinations(home)) == len(list_tickets(home.tickets)) == 2


# ---------- any order of it all


class Interleavings(RuleBasedStateMachine):
    """Any interleaving of push, backup, restore, loss, rename, failure and kill, at one tracker."""

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.home = Home.locate(Path(self.folder.name) / "home")
        self.home.root.mkdir()
        Ledger.of(self.home, now=BORN)
        self.clock = Clock()
        self.tracker = SimulatedTracker(self.clock)
        self.names, self.backups = ["sim"], 0
        self.issues = {issue.issue_id: issue for issue in (CHECKOUT, DELIVERY)}

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def _push(self, name: str, ledger: Ledger | None = None) -> None:
        tracker = self.tracker
        tracker.name = name
        one = ConfiguredDestination(tracker, place="simulated tracker", beside=(name,))
        with patch("dagster_project.automation.tickets.push.read_queue", lambda *_, **__: list(self.issues.values())):
            push(self.home, now=self.clock.now, destinations=[one], ledger=ledger)

    @rule(minutes=st.sampled_from([1, 6, 60, 60 * 25]), renamed=st.sampled_from([False, False, False, True]))
    def push_it(self, minutes: int, renamed: bool) -> None:
        self.clock.pass_(minutes=minutes)
        self._push("renamed" if renamed else "sim")

    @rule(fault=st.sampled_from(["lost after", "lost before", "refused", "rejected", "limited", "broken after"]))
    def push_with_a_fault(self, fault: str) -> None:
        self.clock.pass_(minutes=6)
        self.tracker.fail_next(fault)
        self._push("sim")
        self.tracker.behave()

    @rule(step=st.integers(1, 25))
    def push_is_killed(self, step: int) -> None:
        self.clock.pass_(minutes=6)
        self.tracker.fate = Fate(step)
        url, head = self.home.ledger_url, self.home.ledger_head
        ledger = MortalLedger(url, now=self.clock.now, fate=self.tracker.fate, head=head)
        try:
            self._push("sim", ledger)
        except KilledError:
            pass
        finally:
            self.tracker.fate = Fate()

    @rule(issue=st.sampled_from([CHECKOUT, DELIVERY]), change=st.sampled_from(["P1", "P2", "over"]))
    def the_issue_changes(self, issue: Issue, change: str) -> None:
        self.issues[issue.issue_id] = resolved(issue) if change == "over" else replace(issue, priority=change)

    @rule()
    def back_up(self) -> None:
        shutil.rmtree(Path(self.folder.name) / "backup", ignore_errors=True)
        shutil.copytree(self.home.root, Path(self.folder.name) / "backup")
        self.backups += 1

    @rule(whole=st.booleans())
    def restore(self, whole: bool) -> None:
        if not self.backups:
            return
        for path in self.home.root.iterdir():
            if whole or path.match(LEDGER):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in (Path(self.folder.name) / "backup").iterdir():
            if path.is_dir() and whole:
                shutil.copytree(path, self.home.root / path.name)
            elif not path.is_dir() and (whole or path.match(LEDGER)):
                shutil.copy2(path, self.home.root / path.name)

    @rule(also=st.sampled_from(["nothing", "ledger.head", "lake"]))
    def the_ledger_is_lost(self, also: str) -> None:
        for path in self.home.root.iterdir():
            if path.match(LEDGER) or path.name == also:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    @invariant()
    def no_marker_stands_in_two_open_tickets(self) -> None:
        if not hasattr(self, "tracker"):
            return
        markers = [record.ticket.marker for record in self.tracker.records if not record.closed]
        assert len(markers) == len(set(markers)), [(one.ticket.title, one.closed) for one in self.tracker.records]


Interleavings.TestCase.settings = settings(
    max_examples=4,
    stateful_step_count=14,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # shrinking takes minutes
    suppress_health_check=list(HealthCheck),
)
test_no_interleaving_opens_a_second_ticket = Interleavings.TestCase


@pytest.mark.soak
def test_many_interleavings_open_no_second_ticket() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    many = settings(Interleavings.TestCase.settings, max_examples=150, stateful_step_count=30)
    run_state_machine_as_test(Interleavings, settings=many)

"""The embedded tracker: files that people read and edit, and that survive both."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from dagster_project.automation.destinations.base import ReadsTicket, TicketDestination
from dagster_project.automation.destinations.local import LocalTracker, list_tickets
from dagster_project.automation.outcomes import DeliveryError, Rejected, Unknown, outcome_of
from dagster_project.automation.ticket import Ticket
from dagster_project.automation.tickets.brief import render
from tests.automation.support import CHECKOUT, DELIVERY, NOW, Clock, resolved
from tests.test_sanitize import tokens

TICKET = render(CHECKOUT, "local")
OVER = replace(render(resolved(CHECKOUT), "local"), note="Resolved: it is over.", note_key="k")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tracker(tmp_path: Path, clock: Clock) -> LocalTracker:
    def now() -> datetime:
        return clock.now

    return LocalTracker(tmp_path / "tickets", clock=now)


def text(tracker: LocalTracker, name: str = "FC-1.md") -> str:
    return (tracker._folder / name).read_text(encoding="utf-8")


def matter(tracker: LocalTracker) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(text(tracker).split("---\n")[1])
    return found


def edit(tracker: LocalTracker, old: str, new: str) -> None:
    content = text(tracker)
    assert old in content
    (tracker._folder / "FC-1.md").write_text(content.replace(old, new), encoding="utf-8")


def test_it_is_a_destination(tracker: LocalTracker) -> None:
    destination: TicketDestination = tracker
    assert isinstance(destination, ReadsTicket)


def test_a_ticket_is_a_readable_file(tracker: LocalTracker) -> None:
    made = tracker.create(TICKET)
    assert (made.external_id, made.title, made.body, made.closed) == ("FC-1", TICKET.title, TICKET.body, False)
    assert made.url == (tracker._folder / "FC-1.md").as_uri()
    content = text(tracker)
    assert content.count(TICKET.body) == 1
    assert content.endswith("## History\n\n- 2026-06-01 12:00 UTC: opened as P1.\n")
    assert matter(tracker) == {
        "status": "open",
        "created": "2026-06-01 12:00 UTC",
        "priority": "P1",
        "owner": "checkout-squad",
        "title": TICKET.title,
        "issue": CHECKOUT.issue_id,
        "labels": list(TICKET.labels),
        "updated": "2026-06-01 12:00 UTC",
    }


def test_an_update_replaces_the_brief_and_notes_what_matters(tracker: LocalTracker, clock: Clock) -> None:
    tracker.create(TICKET)
    clock.pass_(hours=2)
    quieter = replace(render(replace(CHECKOUT, priority="P2"), "local"), note="Priority lowered from P1 to P2.")
    assert tracker.update("FC-1", quieter).says(quieter)
    assert TICKET.body not in text(tracker)
    assert text(tracker).endswith(
        "- 2026-06-01 12:00 UTC: opened as P1.\n- 2026-06-01 14:00 UTC: Priority lowered from P1 to P2.\n"
    )
    assert (matter(tracker)["created"], matter(tracker)["updated"]) == ("2026-06-01 12:00 UTC", "2026-06-01 14:00 UTC")


def test_what_people_wrote_is_kept(tracker: LocalTracker) -> None:
    tracker.create(TICKET)
    edit(tracker, "status: open\n", "status: in progress\nassignee: kim\n")
    with (tracker._folder / "FC-1.md").open("a", encoding="utf-8") as file:
        file.write("\n## Notes\n\nIt is the promo service.\n- really\n")
    tracker.update("FC-1", replace(render(replace(CHECKOUT, priority="P2"), "local"), note="Changed."))
    assert (matter(tracker)["status"], matter(tracker)["assignee"]) == ("in progress", "kim")
    assert text(tracker).endswith(
        "opened as P1.\n- 2026-06-01 12:00 UTC: Changed.\n\n## Notes\n\nIt is the promo service.\n- really\n"
    )


def test_a_note_finds_its_place_even_without_a_history(tracker: LocalTracker) -> None:
    tracker.create(TICKET)
    edit(tracker, "## History\n\n- 2026-06-01 12:00 UTC: opened as P1.\n", "")
    tracker.update("FC-1", replace(TICKET, note="Changed."))
    assert text(tracker).endswith("## History\n\n- 2026-06-01 12:00 UTC: Changed.\n")


def test_resolving_closes_and_reopening_takes_it_back(tracker: LocalTracker) -> None:
    tracker.create(TICKET)
    assert tracker.resolve("FC-1", OVER).closed
    assert matter(tracker)["status"] == "resolved"
    assert not tracker.update("FC-1", replace(TICKET, reopens=True)).closed
    assert matter(tracker)["status"] == "open"


def test_how_a_person_closed_it_is_not_changed(tracker: LocalTracker) -> None:
    tracker.create(TICKET)
    edit(tracker, "status: open\n", "status: not a bug\n")
    assert tracker.update("FC-1", replace(TICKET, reopens=True)).closed
    assert tracker.resolve("FC-1", OVER).says(OVER)
    assert matter(tracker)["status"] == "not a bug"


def test_tickets_are_found_by_their_marker_whatever_became_of_the_rest(tracker: LocalTracker) -> None:
    tracker.create(render(DELIVERY, "local"))
    made = tracker.create(TICKET)
    assert tracker.find_by_marker(TICKET.marker) == [made]
    assert tracker.find_by_marker("0" * 24) == []
    (tracker._folder / "FC-2.md").write_text(f"someone pasted over it\n{TICKET.body}", encoding="utf-8")
    assert [found.external_id for found in tracker.find_by_marker(TICKET.marker)] == ["FC-2"]


def test_windows_line_endings_are_still_the_same_ticket(tracker: LocalTracker) -> None:
    tracker.create(TICKET)
    path = tracker._folder / "FC-1.md"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    (found,) = tracker.find_by_marker(TICKET.marker)
    assert found.says(TICKET)
    assert tracker.update("FC-1", TICKET).says(TICKET)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("---\nstatus: [open\n---\nbody", "not YAML"),
        ("no front matter at all", "no front matter"),
        ("---\njust text\n---\n", "no front matter"),
    ],
)
def test_a_broken_file_is_refused_with_what_to_mend_and_listed(tracker: LocalTracker, content: str, says: str) -> None:
    tracker.create(TICKET)
    (tracker._folder / "FC-1.md").write_text(f"{content}\n\n{TICKET.body}\n", encoding="utf-8")
    outcome = outcome_of(lambda: tracker.update("FC-1", TICKET))
    assert isinstance(outcome, Rejected) and not outcome.whole_destination
    assert says in outcome.reason and "FC-1.md" in outcome.reason
    (listed,) = list_tickets(tracker._folder)
    assert listed.status == "unreadable" and says in listed.title


def test_a_deleted_ticket_stays_deleted_and_its_number_is_not_given_again(tracker: LocalTracker) -> None:
    tracker.create(TICKET)
    (tracker._folder / "FC-1.md").unlink()
    with pytest.raises(DeliveryError, match="the file is gone"):
        tracker.update("FC-1", TICKET)
    assert tracker.read("FC-1") is None
    assert tracker.create(render(DELIVERY, "local")).external_id == "FC-2"


def test_another_tickets_file_is_never_overwritten(tracker: LocalTracker) -> None:
    tracker.create(TICKET)
    with pytest.raises(DeliveryError, match="does not carry"):
        tracker.update("FC-1", render(DELIVERY, "local"))


def test_a_folder_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = outcome_of(lambda: LocalTracker(tmp_path / "file").create(TICKET))
    assert isinstance(outcome, Rejected) and outcome.whole_destination
    assert "check folder" in outcome.reason


def test_a_full_disk_after_the_write_is_unknown(tracker: LocalTracker, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dagster_project.automation.destinations.local._index", full)
    assert isinstance(outcome_of(lambda: tracker.create(TICKET)), Unknown)
    assert len(tracker.find_by_marker(TICKET.marker)) == 1


def test_numbers_are_unique_between_writers(tmp_path: Path) -> None:
    trackers = [LocalTracker(tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda number: trackers[number % 4].create(_numbered(number)), range(24)))
    assert len({ticket.external_id for ticket in made}) == len(list_tickets(tmp_path)) == 24
    assert "24 open, 0 closed." in (tmp_path / "index.md").read_text()
    assert not list(tmp_path.glob(".*.tmp"))


def _numbered(number: int) -> Ticket:
    return render(replace(CHECKOUT, issue_id=f"ISS-{number}"), "local")


def test_the_list_has_open_and_urgent_first(tracker: LocalTracker) -> None:
    tracker.create(render(DELIVERY, "local"))
    tracker.create(render(replace(CHECKOUT, issue_id="ISS-0"), "local"))
    tracker.create(TICKET)
    tracker.resolve("FC-2", replace(OVER, marker=render(replace(CHECKOUT, issue_id="ISS-0"), "local").marker))
    listed = list_tickets(tracker._folder)
    assert [(ticket.external_id, ticket.status, ticket.priority) for ticket in listed] == [
        ("FC-3", "open", "P1"),
        ("FC-1", "open", "P3"),
        ("FC-2", "resolved", "P1"),
    ]
    assert listed[0].owner == "checkout-squad" and listed[0].title == TICKET.title
    assert listed[0].created == f"{NOW:%Y-%m-%d %H:%M} UTC"
    index = text(tracker, "index.md")
    assert "2 open, 1 closed." in index
    assert index.index("[FC-3](FC-3.md)") < index.index("[FC-1](FC-1.md)") < index.index("[FC-2](FC-2.md)")


def test_a_hostile_title_is_inert_in_every_file(tracker: LocalTracker) -> None:
    hostile = render(replace(CHECKOUT, product="![x](http://e/x.png) <img src=x> | @all"), "local")
    assert tracker.create(hostile).says(hostile)
    for name in ("FC-1.md", "index.md"):
        below_the_front_matter = text(tracker, name).split("\n---\n")[-1]
        assert not {"image", "html_inline"} & {token.type for token in tokens(below_the_front_matter)}
    assert "order button dead — !\\[x\\]" in text(tracker)


def test_no_folder_no_tickets(tmp_path: Path) -> None:
    assert list_tickets(tmp_path / "none") == []

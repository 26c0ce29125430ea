"""People's changes to files of the embedded tracker are noticed, also when the file is written over."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.local import LocalTracker
from dagster_project.automation.tickets.pull import pull
from dagster_project.automation.tickets.push import push
from dagster_project.cli.main import main
from dagster_project.home import Home
from tests.automation.destinations.test_contract import live
from tests.automation.editor import Folder
from tests.automation.support import CHECKOUT, NOW, publish
from tests.automation.tickets.test_pull import decided

LOWERED = replace(CHECKOUT, priority="P2")


@pytest.fixture
def folder(home: Home) -> tuple[Folder, LocalTracker]:
    tracker = LocalTracker(home.tickets)
    live(home, ConfiguredDestination(tracker), [[CHECKOUT]])
    return Folder(home.tickets), tracker


def test_what_a_person_changed_in_a_file_survives_that_the_next_push_writes_over_it(
    home: Home, folder: tuple[Folder, LocalTracker]
) -> None:
    person, tracker = folder
    person.act("priority", "P4")
    person.act("reject")
    person.act("comment", "It is the campaign")
    live(home, ConfiguredDestination(tracker), [[LOWERED], [CHECKOUT]])
    told = {one.kind: (one.value, one.previous) for one in tracker.changes_since(NOW)}
    assert told == {
        "priority": ("P4", "P1"),
        "status": ("not a bug", "open"),
        "comment": ("It is the campaign", None),
    }
    person.act("reopen")
    assert [one.value for one in tracker.changes_since(NOW) if one.kind == "status"] == ["not a bug", "open"]


@pytest.mark.parametrize("loss", ["deleted", "overwritten"])
def test_an_open_ticket_that_is_gone_is_named_by_push_and_pull(
    home: Home, folder: tuple[Folder, LocalTracker], loss: str
) -> None:
    publish(home, [CHECKOUT])
    now, one = NOW + timedelta(hours=1), [ConfiguredDestination(folder[1])]
    assert push(home, now=now, destinations=one).problems == []
    if loss == "deleted":
        shutil.rmtree(home.tickets)
    else:
        (home.tickets / "FC-1.md").write_text("shopping list\n")
    pushed, told = push(home, now=now, destinations=one), list[str]()
    pull(home, now=now, destinations=one, progress=told.append)
    assert (pushed.unchanged, pushed.failures) == (1, [])
    assert [line.partition(";")[0] for line in (*pushed.problems, *told)] == [
        "local: open tickets that are gone, or overwritten: FC-1"
    ] * 2


def test_a_line_that_a_crash_tore_off_is_noticed_again(folder: tuple[Folder, LocalTracker]) -> None:
    person, tracker = folder
    person.act("reject")
    (whole,) = list(tracker.changes_since(NOW))
    notes = person.root / ".changes.jsonl"
    notes.write_bytes(notes.read_bytes()[:-30])
    assert list(tracker.changes_since(NOW)) == [whole]
    assert list(tracker.changes_since(NOW)) == [whole]


def test_a_file_from_before_changes_were_told_is_taken_as_it_was_opened(folder: tuple[Folder, LocalTracker]) -> None:
    person, tracker = folder
    person.act("reject")
    path = person.root / "FC-1.md"
    path.write_text(re.sub(r"<!-- written: .* -->\n", "", path.read_text(encoding="utf-8")), encoding="utf-8")
    assert [(one.value, one.resolution) for one in tracker.changes_since(NOW)] == [("not a bug", "rejected")]


def test_the_command_says_what_came(home: Home, folder: tuple[Folder, LocalTracker]) -> None:
    def cli(*arguments: str) -> Any:
        return CliRunner().invoke(main, ["--home", str(home.root), *arguments], catch_exceptions=False)

    decided(home, [CHECKOUT])
    folder[0].act("reject")
    first = cli("pull", "--json")
    assert json.loads(first.stdout)["rejected"] == 1
    assert "local: FC-1 status not a bug by jo" in first.stderr
    assert cli("pull").stdout == "nothing new\n"
    assert cli("pull", "--only", "gone").exit_code == 2

"""A demo has a home of its own: it touches no other, asks before it starts over, and sends nothing."""

from __future__ import annotations

import gc
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.home import DEMO_HOME, REPOSITORY, Home
from tests.faults.homes import (
    LAST_WEEK,
    REAL,
    SIMULATED,
    Receiver,
    cli,
    ids,
    push_all,
    tree,
    webhook,
)


def test_demo_then_run_then_demo_on_another_day_deletes_nothing(two: SimpleNamespace) -> None:
    assert cli("demo", "--until", LAST_WEEK).exit_code == 0
    assert cli("run", "--sources", two.sources).exit_code == 0
    gc.collect()  # closes the run's ledger, which empties its log into the file
    before = tree(two.real.root)
    assert ids(two.real) == {REAL.issue_id}
    again = cli("demo")
    assert again.exit_code == 0
    assert tree(two.real.root) == before
    (backup,) = two.folder.glob(".feedback-control-demo.backup-*")
    assert backup.name in again.stderr
    assert (backup / "tickets" / "FC-1.md").exists()
    assert (backup / "ledger.sqlite").exists()
    assert (two.demo.kind, two.real.kind) == ("demo", "production")


def test_a_demo_in_a_home_with_real_data_is_refused(two: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("run", "--sources", two.sources).exit_code == 0
    before = tree(two.real.root)
    refused = cli("--home", str(two.real.root), "demo")
    monkeypatch.setenv("FEEDBACK_HOME", str(two.real.root))
    by_environment = cli("demo", "--yes")
    assert (refused.exit_code, by_environment.exit_code) == (2, 2)
    assert "is a production home; a demo has a home of its own" in refused.stderr
    assert tree(two.real.root) == before


@pytest.mark.parametrize("name", ["sources.yml", "destinations.yml", "playbook.yml", "golden", "unknown.txt"])
def test_a_demo_in_a_home_that_somebody_has_only_configured_is_refused(two: SimpleNamespace, name: str) -> None:
    two.real.root.mkdir()
    (two.real.root / name).write_text("mine")
    assert cli("--home", str(two.real.root), "demo").exit_code == 2
    assert (two.real.root / name).read_text() == "mine"


def test_run_with_ones_own_sources_in_the_demos_home_is_refused(two: SimpleNamespace) -> None:
    cli("demo")
    before = tree(two.demo.lake)
    refused = cli("--home", str(two.demo.root), "run", "--sources", two.sources)
    assert refused.exit_code == 2
    assert "is a demo home" in refused.stderr and "--home .feedback-control run" in refused.stderr
    assert tree(two.demo.lake) == before


def test_a_demo_sends_nothing_to_a_configured_webhook(
    two: SimpleNamespace, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.demo.marked("demo")
    (two.demo.root / "destinations.yml").write_text(webhook(receiver))
    done = cli("demo")
    push_all(two.demo)
    assert done.exit_code == 0
    assert "webhook: nothing is sent to 127.0.0.1: this is a demo home" in done.stderr
    assert receiver.bodies == []
    assert ids(two.demo) == {SIMULATED.issue_id}


def test_a_demo_that_starts_over_remembers_nothing_of_the_one_before(two: SimpleNamespace) -> None:
    cli("demo", "--yes")
    before = Ledger.of(two.demo)
    done = cli("demo", "--yes", "--until", LAST_WEEK)
    now = Ledger.of(two.demo)
    assert done.exit_code == 0
    assert now.continuity.epoch() is None
    (backup,) = two.folder.glob(f"{DEMO_HOME}.backup-*")
    assert Ledger(f"sqlite:///{backup / 'ledger.sqlite'}", head=backup / "ledger.head").continuity.gap is None
    assert before.continuity.has_head


def edited_ticket(home: Home) -> None:
    path = home.tickets / "FC-1.md"
    path.write_text(path.read_text() + "\nI have looked at this for an hour.\n")


def label_queue(home: Home) -> None:
    (home.reports / "drift" / "x").mkdir(parents=True)
    (home.reports / "drift" / "x" / "queue.csv").write_text(
        "text,issue_type\nI have looked at this for an hour,other\n"
    )


def note_beside_tickets(home: Home) -> None:
    (home.tickets / "notes.md").write_text("I have looked at this for an hour")


def own_export(home: Home) -> None:
    (home.root / "demo" / "mine.csv").write_text("I have looked at this for an hour")


def edited_sources(home: Home) -> None:
    (home.root / "demo" / "sources.yml").write_text("# I have looked at this for an hour")


def settled_letter(home: Home) -> None:
    Ledger.of(home, actor="jo").continuity.set_place("local", "elsewhere", datetime.now(UTC))


@pytest.mark.parametrize(
    "write", [edited_ticket, edited_sources, label_queue, note_beside_tickets, own_export, settled_letter]
)
def test_what_people_wrote_in_a_demo_is_asked_about_and_kept(
    two: SimpleNamespace, write: Callable[[Home], None]
) -> None:
    cli("demo", "--until", LAST_WEEK)
    write(two.demo)
    before = tree(two.demo.root)
    refused = cli("demo")
    assert (refused.exit_code, "what people may have written" in refused.stderr) == (2, True)
    noted = {"ledger.sqlite-shm", "tickets/.changes.jsonl"}  # what the tracker notices of an edited file is appended
    assert {name for name in before if tree(two.demo.root).get(name) != before[name]} <= noted
    assert cli("demo", "--yes").exit_code == 0
    (backup,) = two.folder.glob("*.backup-*")
    if write is not settled_letter:
        assert any(b"I have looked at this for an hour" in content for content in tree(backup).values())
    assert cli("demo").exit_code == 0  # the same day: nothing to start over


def test_an_edited_sources_file_is_not_overwritten_on_the_same_day(two: SimpleNamespace) -> None:
    cli("demo")
    edited_sources(two.demo)
    assert cli("demo").exit_code == 2
    assert cli("demo", "--yes").exit_code == 0
    (backup,) = two.folder.glob("*.backup-*")
    assert "for an hour" in (backup / "demo" / "sources.yml").read_text()


def test_make_clean_keeps_every_home(tmp_path: Path) -> None:
    for name in (".feedback-control", ".feedback-control-demo", ".feedback-control-demo.backup-1", "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "home.yml").write_text("kept")
    subprocess.run(["make", "-f", str(REPOSITORY / "Makefile"), "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert len(list(tmp_path.glob("*/home.yml"))) == 4

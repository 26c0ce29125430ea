"""Stages around the decision: a ledger or a report that fails keeps no turn from deciding and publishing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from dagster_project import loop
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.tickets.issues import read_queue
from dagster_project.errors import LedgerError
from dagster_project.home import Home
from dagster_project.home_kind import Marker
from tests.faults.homes import LAST_WEEK, REAL, cli, ids


def published(home: Home) -> list[str]:
    return [issue.issue_id for issue in read_queue(home)]


def no_database(home: Home) -> None:
    (home.root / "ledger.sqlite").write_bytes(b"this is no database " * 99)


def another_home(home: Home) -> None:
    Ledger.of(home).ownership.claim(Marker("production", "0" * 32, datetime(2026, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("break_it", "said"),
    [(no_database, "restore it from a backup, or move it"), (another_home, "belongs to another home")],
)
def test_a_ledger_that_cannot_be_used_stops_no_decision(
    two: SimpleNamespace, break_it: Callable[[Home], None], said: str
) -> None:
    two.real.marked("production")
    break_it(two.real)
    done = cli("run", "--sources", two.sources)
    assert done.exit_code == 1
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("failed: "))
    assert line.startswith("failed: nothing is pulled or sent: ") and said in line
    assert published(two.real) == [REAL.issue_id]
    assert ids(two.real) == set()
    assert f"report: {two.real.reports / 'closed_loop.html'}" in done.stdout


def test_a_ledger_that_is_lost_while_it_is_pulled_or_pushed_stops_nothing_else(
    two: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object, **__: object) -> None:
        raise LedgerError("the ledger was lost in the middle of the work")

    for stage, without in (("push", "nothing more is sent"), ("pull", "nothing is pulled or sent")):
        monkeypatch.setattr(loop, stage, lost)
        report = loop.turn(two.real, sources=Path(two.sources))
        assert report.failures == [f"{without}: the ledger was lost in the middle of the work"]
        assert report.report and not report.pushed
    assert published(two.real) == [REAL.issue_id]


@pytest.mark.parametrize("as_of", [(), ("--as-of", LAST_WEEK)])
def test_a_report_that_cannot_be_written_is_told_after_everything_else_is_done(
    two: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, as_of: tuple[str, ...]
) -> None:
    def full(home: Home) -> Path:
        raise OSError(28, "No space left on device", str(home.reports / "closed_loop.html"))

    monkeypatch.setattr(loop, "write_report", full)
    done = cli("run", "--sources", two.sources, *as_of)
    assert done.exit_code == 1
    assert "\nfailed: no report was written: the disk of " in done.stderr
    assert "report:" not in done.stdout
    if not as_of:
        assert published(two.real) == [REAL.issue_id]
        assert ids(two.real) == {REAL.issue_id}


def test_what_was_repaired_is_told_once(two: SimpleNamespace) -> None:
    cli("run", "--sources", two.sources)
    clock = two.real.root / "clock.json"
    clock.write_bytes(b"\0garbage")
    done = cli("run", "--sources", two.sources)
    assert done.exit_code == 0
    (line,) = (line for line in done.stderr.splitlines() if clock.name in line)
    assert "repaired: " in line

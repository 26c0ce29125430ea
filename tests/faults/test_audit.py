"""The audit log: what it covers, its head outside the database, unknown ids, and homes that cannot be written."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.local import LocalTracker
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.tickets.push import push
from dagster_project.cli.main import main
from dagster_project.home import Home
from tests.automation.ledger.test_audit import tampered
from tests.automation.postgres import empty, needs_postgresql, postgresql
from tests.automation.support import CHECKOUT, DELIVERY, NOW, Clock, SimulatedTracker, publish


@pytest.fixture
def busy(home: Home) -> Home:
    """A home after two tickets, one of them after a lost answer."""
    tracker = SimulatedTracker(Clock())
    tracker.fail_next("lost after")
    publish(home, [CHECKOUT, DELIVERY])
    for minutes in (0, 10):
        now = NOW + timedelta(minutes=minutes)
        push(
            home,
            now=now,
            destinations=[ConfiguredDestination(tracker), ConfiguredDestination(LocalTracker(home.tickets))],
        )
    return home


def cli(home: Home, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home.root), *arguments])


@pytest.mark.parametrize(
    "statement",
    ["update audit set actor = 'me'", "delete from audit", "update attempts set reason = 'me'", "delete from attempts"],
)
def test_the_database_itself_refuses_changes(busy: Home, statement: str) -> None:
    with (
        sqlite3.connect(busy.root / "ledger.sqlite") as connection,
        pytest.raises(sqlite3.IntegrityError, match="append"),
    ):
        connection.execute(statement)
    connection.close()


CHANGES = {
    "a payload": "update intents set payload = replace(payload, 'P1', 'P4')",
    "a payload that is gone": "delete from intents where sequence = 0 and destination = 'local'",
    "a payload that was added": "create table copy as select * from intents limit 1;"
    " update copy set intent_id = 'f00', subject_id = 'ISS-X'; insert into intents select * from copy",
    "an attempt's outcome": "update attempts set outcome = 'confirmed' where outcome = 'unknown'",
    "an attempt's reason": "update attempts set reason = 'all was well' where outcome = 'unknown'",
    "an attempt's time": "update attempts set at = '2020-01-01 00:00:00.000000' where attempt_id = 1",
    "an attempt that is gone": "delete from attempts where attempt_id = 1",
    "an attempt that was added": "insert into attempts select 99, intent_id, destination, action, outcome, reason,"
    " limited_until, at from attempts limit 1",
}


@pytest.mark.parametrize("statement", CHANGES.values(), ids=CHANGES)
def test_the_chain_covers_payloads_and_attempts(busy: Home, statement: str) -> None:
    assert cli(busy, "audit", "verify").exit_code == 0
    tampered(busy, *statement.split(";"))
    found = cli(busy, "audit", "verify")
    assert found.exit_code == 1 and ("recorded" in found.stdout or "taken out" in found.stdout)
    assert json.loads(cli(busy, "audit", "verify", "--json").stdout)["problems"]


@pytest.mark.parametrize("rows", [1, 3])
def test_a_tail_that_was_cut_off_shows_by_the_head_outside_the_database(busy: Home, rows: int) -> None:
    cut = f"delete from audit where audit_id > (select max(audit_id) from audit) - {rows}"
    end = "update audit_end set (audit_id, hash) = (select audit_id, hash from audit order by audit_id desc limit 1)"
    tampered(busy, cut, "delete from attempts", "delete from intents", end)
    found = Ledger.of(busy).verify_audit()
    assert found.broken_at is None and any("head kept outside" in problem for problem in found.problems)


def test_the_head_outside_follows_every_commit_and_mends_itself(busy: Home) -> None:
    kept = json.loads(busy.ledger_head.read_text())
    found = Ledger.of(busy).verify_audit()
    assert (kept["hash"], kept["audit_id"]) == (found.end, found.rows)
    for damage in ("", "{", "[]", '{"ledger_id": 1}'):
        busy.ledger_head.write_text(damage)
        assert Ledger.of(busy).verify_audit().holds
    ledger = Ledger.of(busy)
    ledger.umbrellas.add("sim", "UMB-1", "me", ["ISS-1"], NOW)
    assert json.loads(busy.ledger_head.read_text())["hash"] == ledger.verify_audit().end


@given(
    column=st.sampled_from(["actor", "event", "detail", "basis", "covers", "hash"]),
    row=st.integers(1, 12),
    text=st.text(max_size=5),
)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_change_to_any_row_shows(
    busy: Home, tmp_path_factory: pytest.TempPathFactory, column: str, row: int, text: str
) -> None:
    copy = Home.locate(tmp_path_factory.mktemp("copy") / "home")
    shutil.copytree(busy.root, copy.root)
    with sqlite3.connect(copy.root / "ledger.sqlite") as connection:
        connection.execute("drop trigger audit_no_update")
        (before,) = connection.execute(f"select {column} from audit where audit_id = ?", [row]).fetchone()
        new = text.encode("utf-8", "ignore").decode()
        connection.execute(f"update audit set {column} = ? where audit_id = ?", [new, row])
    connection.close()
    assert Ledger.of(copy).verify_audit().holds is (new == before)


@needs_postgresql
def test_on_postgresql_as_well(busy: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with postgresql() as url:
        empty(url)
        monkeypatch.setenv("FEEDBACK_LEDGER_URL", url)
        busy.ledger_head.unlink()
        for minutes in (0, 10):
            push(
                busy,
                now=NOW + timedelta(minutes=minutes),
                destinations=[ConfiguredDestination(SimulatedTracker(Clock()))],
            )
        ledger = Ledger.of(busy)
        assert (
            ledger.verify_audit().holds
            and json.loads(busy.ledger_head.read_text())["hash"] == ledger.verify_audit().end
        )
        with ledger._store.engine.begin() as connection:
            connection.exec_driver_sql("update intents set payload = '{}'")
        assert "payload" in ledger.verify_audit().problems[0]
        empty(url)
        assert Ledger.of(busy).continuity.gap == "new"


# ---------- unknown ids


def test_audit_show_of_an_unknown_id_does_not_say_that_nothing_was_done(busy: Home) -> None:
    for unknown in ("ISS-4F0C11AA93", "ISS-0000000000", "nope", "%", "_", "FC-1"):
        shown = cli(busy, "audit", "show", unknown)
        assert (shown.exit_code, shown.stdout) == (1, ""), unknown
        assert "unknown id" in shown.stderr and "nothing was" not in shown.stderr
    assert f"did you mean {CHECKOUT.issue_id}" in cli(busy, "audit", "show", "ISS-4F0C11AA93").stderr


def test_audit_show_of_a_queued_issue_says_that_nothing_was_sent_yet(home: Home) -> None:
    publish(home, [CHECKOUT])
    shown = cli(home, "audit", "show", CHECKOUT.issue_id)
    assert shown.exit_code == 0 and f"{CHECKOUT.issue_id} is in the queue" in shown.stdout


# ---------- homes that cannot be written


@pytest.fixture
def read_only(busy: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """The home without the right to write, also for root, whom modes do not bind."""

    def access(path: str | os.PathLike[str], mode: int) -> bool:
        return not mode & os.W_OK or not Path(path).is_relative_to(busy.root)

    monkeypatch.setattr(os, "access", access)
    everything = [busy.root, *busy.root.rglob("*")]
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield busy
    for path in everything:
        path.chmod(0o755 if path.is_dir() else 0o644)


COMMANDS = [
    ("audit", "verify"),
    ("audit", "show", CHECKOUT.issue_id),
    ("dead-letters", "list"),
    ("ledger", "status"),
    ("tickets",),
    ("push", "--dry-run"),
    ("preview", CHECKOUT.issue_id),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("log", [False, True], ids=["", "with a write-ahead log"])
def test_reading_commands_work_on_a_read_only_home(read_only: Home, command: tuple[str, ...], log: bool) -> None:
    if log:  # a ledger whose last writer was killed: its last rows are in the log beside it
        read_only.root.chmod(0o755)
        (read_only.root / "ledger.sqlite").chmod(0o644)
        _leave_a_log(read_only.root / "ledger.sqlite")
    before = {path: path.read_bytes() for path in read_only.root.rglob("*") if path.is_file()}
    shown = cli(read_only, *command)
    assert (shown.exit_code, shown.exception) == (0, None), shown.output
    assert {path: path.read_bytes() for path in read_only.root.rglob("*") if path.is_file()} == before


def _leave_a_log(path: Path) -> None:
    copies = path.with_name("copies")
    with sqlite3.connect(path) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("insert into meta values ('last', 'row')")
        connection.commit()
        copies.mkdir()
        for name in (path.name, f"{path.name}-wal"):
            shutil.copy(path.with_name(name), copies / name)
    connection.close()
    for copy in copies.iterdir():
        copy.replace(path.with_name(copy.name))
    copies.rmdir()


def test_a_command_that_writes_says_so_on_a_read_only_home(read_only: Home) -> None:
    assert cli(read_only, "dead-letters", "replay", "--all").exit_code == 0  # there is none
    shown = cli(read_only, "ledger", "accept", "local")
    assert shown.exit_code == 1 and "readonly database" in shown.stderr and "Traceback" not in shown.output

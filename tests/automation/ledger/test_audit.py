"""The audit log: complete, in order, and not to be changed without it showing; also for a ledger of an old version."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from dagster_project.automation.destinations import Outlet
from dagster_project.automation.ledger import engine
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.tickets.push import push
from dagster_project.home import Home
from tests.automation.support import BORN, CHECKOUT, DELIVERY, NOW, Clock, SimulatedTracker, publish


@pytest.fixture
def busy(home: Home) -> Home:
    """A home after two tickets."""
    publish(home, [CHECKOUT, DELIVERY])
    push(home, now=NOW, outlets=[Outlet(SimulatedTracker(Clock()))])
    return home


def tampered(home: Home, *statements: str) -> Ledger:
    with sqlite3.connect(home.root / "ledger.sqlite") as connection:
        for name in ("audit_no_update", "audit_no_delete"):
            connection.execute(f"drop trigger {name}")
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return Ledger(home.ledger_url)


def test_every_step_is_there_with_its_grounds(busy: Home) -> None:
    rows = Ledger(busy.ledger_url).history_of(CHECKOUT.issue_id)
    assert [row["event"] for row in rows] == ["intent recorded", "intent claimed", "intent confirmed"]
    assert (rows[0]["actor"], rows[0]["basis"], rows[0]["confidence"]) == ("push", "P1, regression, 4 signals", 0.91)
    found = Ledger(busy.ledger_url).verify_audit()
    assert found.holds and found.rows == 6


@pytest.mark.parametrize("verb", ["update audit set actor = 'me'", "delete from audit"])
def test_the_database_itself_refuses_changes(busy: Home, verb: str) -> None:
    with (
        sqlite3.connect(busy.root / "ledger.sqlite") as connection,
        pytest.raises(sqlite3.IntegrityError, match="append"),
    ):
        connection.execute(verb)
    connection.close()


CHANGES = {
    "at": "'2026-01-01 00:00:00.000000'",
    "actor": "'me'",
    "event": "'nothing'",
    "detail": "'{}'",
    "basis": "'because'",
    "confidence": "0.99",
    "intent_id": "null",
    "hash": "'0'",
}


@pytest.mark.parametrize("column", CHANGES)
def test_a_changed_row_shows(busy: Home, column: str) -> None:
    ledger = tampered(busy, f"update audit set {column} = {CHANGES[column]} where audit_id = 3")
    assert ledger.verify_audit().broken_at == 3


@pytest.mark.parametrize(("gone", "broken"), [(1, 2), (3, 4), (6, 6)])
def test_a_missing_row_shows_also_the_last_one(busy: Home, gone: int, broken: int) -> None:
    assert tampered(busy, f"delete from audit where audit_id = {gone}").verify_audit().broken_at == broken


def test_a_log_written_anew_shows_to_whoever_kept_a_hash(busy: Home) -> None:
    kept = Ledger(busy.ledger_url).verify_audit().end
    assert Ledger(busy.ledger_url).verify_audit(kept).holds
    end = f"update audit_end set audit_id = 0, hash = '{'0' * 64}'"
    ledger = tampered(busy, "delete from audit", end)
    assert ledger.verify_audit().holds  # the chain alone cannot tell
    assert not ledger.verify_audit(kept).holds


def test_the_code_knows_the_newest_migration() -> None:
    assert ScriptDirectory(str(engine.MIGRATIONS)).get_current_head() == engine.REVISION


FIRST_LEDGER = """
create table intents (intent_id varchar(32) primary key, issue_id varchar(200) not null,
    destination varchar(100) not null, sequence integer not null, action varchar(10) not null,
    state varchar(10) not null, marker varchar(32) not null, payload_hash varchar(64) not null, payload text not null,
    external_id varchar(200), url varchar(2000),
    reason text not null, attempts integer not null, not_before datetime not null, lease_until datetime,
    confirmed_at datetime, exported_at datetime, created_at datetime not null, updated_at datetime not null,
    constraint one_intent_at_a_time unique (destination, issue_id, sequence));
create table attempts (attempt_id integer primary key, intent_id varchar(32) not null,
    destination varchar(100) not null, kind varchar(10) not null, outcome varchar(12) not null, reason text not null,
    hold_until datetime, at datetime not null);
create table audit (audit_id integer primary key, at datetime not null, actor varchar(100) not null,
    event varchar(100) not null, intent_id varchar(32), detail text not null);
create table schema_version (version integer primary key, born_at datetime not null);
"""


def test_a_ledger_from_before_there_were_migrations_goes_on(tmp_path: Path, home: Home) -> None:
    tracker = SimulatedTracker(Clock())
    publish(home, [CHECKOUT, DELIVERY])
    push(home, now=NOW, outlets=[Outlet(tracker)])
    new = home.root / "ledger.sqlite"
    old = tmp_path / "old.sqlite"
    with sqlite3.connect(old) as connection:
        connection.executescript(FIRST_LEDGER)
        connection.execute("attach ? as new", (str(new),))
        for table in ("intents", "attempts", "audit", "schema_version"):
            columns = ", ".join(row[1] for row in connection.execute(f"pragma table_info({table})"))
            connection.execute(f"insert into {table} select {columns} from new.{table}")
    connection.close()
    for file in home.root.glob("ledger.sqlite*"):
        file.unlink()
    old.rename(new)

    ledger = Ledger(home.ledger_url)
    assert ledger.born_at == BORN
    assert ledger.verify_audit().holds and ledger.verify_audit().rows == 6
    assert ledger.new_tickets("sim", BORN) == {"checkout-squad": 1, "logistics-desk": 1}
    report = push(home, now=NOW, outlets=[Outlet(tracker)])
    assert (report.created, report.unchanged, len(tracker.records)) == (0, 2, 2)

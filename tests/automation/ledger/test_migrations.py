"""Migrations: a home that an earlier version wrote goes on, without a duplicate ticket and with its audit log."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.ledger import engine, tables
from dagster_project.automation.ledger.intents import State
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ticket import Ticket
from dagster_project.automation.tickets import brief
from dagster_project.automation.tickets.actions import Action
from dagster_project.automation.tickets.push import PushReport, push
from dagster_project.home import Home
from tests.automation.ledger import previous_version
from tests.automation.ledger.previous_version import AUDIT_END, AUDIT_ROWS, LATER, LOST, UMBRELLA
from tests.automation.postgres import empty, needs_postgresql, postgresql
from tests.automation.support import BORN, CHECKOUT, DELIVERY, NOW, Clock, SimulatedTracker, publish


def emptied(home: Home) -> Path:
    """The path of the home's ledger, which is removed."""
    for file in home.root.glob("ledger.sqlite*"):
        file.unlink()
    return home.root / "ledger.sqlite"


@pytest.fixture
def of_sqlite(home: Home) -> Home:
    """A home whose ledger the previous version wrote."""
    previous_version.write_to(emptied(home))
    return home


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A throw-away cluster; its URL."""
    with postgresql() as url:
        yield url


@pytest.fixture
def of_postgresql(home: Home, server: str, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The same on PostgreSQL."""
    empty(server)
    opened = engine.connect(server)
    with opened.begin() as connection:
        config = Config(attributes={"connection": connection, "now": BORN})
        config.set_main_option("script_location", str(engine.MIGRATIONS))
        command.upgrade(config, "0005")
        _copy(connection)
    opened.dispose()
    monkeypatch.setenv("FEEDBACK_LEDGER_URL", server)
    return Home.locate(home.root)


def _copy(connection: sa.Connection) -> None:
    there = sa.MetaData()
    there.reflect(connection)
    connection.execute(sa.text("delete from schema_version"))
    for name in ("schema_version", "intents", "attempts", "audit", "umbrella_members", "tellings", "pulls"):
        table = there.tables[name]
        kinds = {column.name: column.type for column in table.columns}
        rows = [{key: _typed(kinds[key], value) for key, value in row.items()} for row in previous_version.rows(name)]
        if rows:
            connection.execute(sa.insert(table), rows)
    (end,) = previous_version.rows("audit_end")
    connection.execute(sa.update(there.tables["audit_end"]).values(audit_id=end["audit_id"], hash=end["hash"]))
    for counted, key in (("attempts", "attempt_id"), ("audit", "audit_id"), ("tellings", "telling_id")):
        connection.execute(
            sa.text(f"select setval(pg_get_serial_sequence('{counted}', '{key}'), max({key})) from {counted}")
        )


def _typed(kind: sa.types.TypeEngine[Any], value: Any) -> Any:
    if isinstance(kind, sa.Boolean):
        return bool(value)
    return f"{value}+00:00" if isinstance(kind, sa.DateTime) and value else value


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgresql)])
def old(request: pytest.FixtureRequest) -> Home:
    """A home of the previous version, on each database."""
    found: Home = request.getfixturevalue(f"of_{request.param}")
    return found


def rows(home: Home, table: sa.Table) -> list[dict[str, Any]]:
    opened = engine.connect(home.ledger_url)
    with opened.connect() as connection:
        found = [dict(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()]
    opened.dispose()
    return found


def differences(home: Home) -> list[Any]:
    """The changes that Alembic would still make to get the tables of ``tables.py``."""
    opened = engine.connect(home.ledger_url)
    with opened.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found: list[Any] = compare_metadata(context, tables.metadata)
        if connection.dialect.name == "sqlite":
            found += connection.exec_driver_sql("pragma foreign_key_check").all()
        names = {check["name"] for check in sa.inspect(connection).get_check_constraints("intents")}
    opened.dispose()
    return [*found, *(names ^ {"sequence_starts_at_0"})]


def pushed(home: Home, tracker: SimulatedTracker, monkeypatch: pytest.MonkeyPatch, hours: float = 0) -> PushReport:
    """A push of the queue as the previous version had it last, with the tickets that it rendered."""
    tickets = previous_version.tickets()
    monkeypatch.setattr(
        "dagster_project.automation.tickets.push.read_queue", lambda home, *_, **__: previous_version.QUEUE
    )
    monkeypatch.setattr(brief, "render", lambda issue, name, policy=None, plans=(): tickets[issue.issue_id, name])
    monkeypatch.setattr(brief, "render_umbrella", lambda umbrella, name: tickets[umbrella.issue_id, name])
    return push(home, now=LATER + timedelta(hours=hours), destinations=[ConfiguredDestination(tracker)])


def test_the_code_knows_the_newest_migration() -> None:
    assert ScriptDirectory(str(engine.MIGRATIONS)).get_current_head() == engine.REVISION


def test_a_new_ledger_has_the_tables_that_the_code_names(home: Home) -> None:
    assert differences(home) == []


def test_the_previous_versions_ledger_is_converted_whole(old: Home) -> None:
    ledger = Ledger(old.ledger_url)
    assert differences(old) == []
    after = {row["intent_id"]: row for row in rows(old, tables.intents)}
    for before in previous_version.rows("intents"):
        row = after.pop(before["intent_id"])
        assert (row["kind"], row["subject_id"], row["is_final"]) == (
            "ticket",
            before["issue_id"],
            before["action"] == "resolve",
        )
        kept = ("destination", "sequence", "action", "state", "marker", "payload", "external_id", "attempts", "is_head")
        assert {name: row[name] for name in kept} == {name: before[name] for name in kept}
        ticket = Ticket.from_json(row["payload"])
        assert row["title"] == ticket.title
        assert row["payload_hash"] == before["payload_hash"] == ticket.content_hash  # else it would be sent again
    assert after == {}
    attempts = [(row["attempt_id"], row["kind"], row["outcome"]) for row in previous_version.rows("attempts")]
    assert [(row["attempt_id"], row["action"], row["outcome"]) for row in rows(old, tables.attempts)] == attempts
    assert [row["event_id"] for row in rows(old, tables.event_outbox)] == [
        row["event_id"] for row in previous_version.rows("tellings")
    ]
    assert [row["sink"] for row in rows(old, tables.event_outbox)] == ["sink", "sink"]
    found = ledger.verify_audit(AUDIT_END)
    assert (found.holds, found.rows) == (True, AUDIT_ROWS + 2)  # what was not covered is: the payloads, the attempts


def test_a_home_of_the_previous_version_goes_on_without_a_duplicate(old: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = previous_version.tracker()
    opened = len(tracker.records)
    first = pushed(old, tracker, monkeypatch)
    done = {name: count for name, count in first.counts.items() if count}
    assert done == {"created": 1, "updated": 1, "unchanged": 4}  # ISS-8 found, ISS-2 sent, nothing else touched
    assert (tracker.writes, len(tracker.records), first.problems) == (1, opened, [])
    assert tracker.records[2].ticket.content_hash == previous_version.tickets()["ISS-2", "sim"].content_hash
    for hours in (1, 26):  # also after both checks for duplicates
        later = pushed(old, tracker, monkeypatch, hours)
        assert {name: count for name, count in later.counts.items() if count} == {"unchanged": 6}
    assert (tracker.writes, len(tracker.records)) == (1, opened)

    ledger = Ledger(old.ledger_url)
    found = ledger.head("ISS-8", "sim")
    assert found and (found.external_id, found.action, found.is_final) == (str(LOST), Action.CREATE, False)
    assert ledger.umbrellas.members("sim") == {"ISS-5": UMBRELLA, "ISS-6": UMBRELLA}
    assert "ISS-0" not in ledger.open_heads("sim")
    assert ledger.verify_audit(AUDIT_END).holds  # the old rows are the beginning of the new chain


def test_what_waited_in_the_previous_version_still_waits(old: Home) -> None:
    ledger = Ledger(old.ledger_url)
    (letter,) = ledger.dead_letters.all()
    assert (letter.intent.subject_id, letter.intent.state, letter.intent.title) == (
        "ISS-9",
        State.HELD,
        "[P1] Issue 9",
    )
    assert ledger.dead_letters.settle(letter, ("M-1", ""), LATER)
    events = ledger.event_outbox.due_events("sink", LATER + timedelta(hours=1))
    assert [event.event["subject"] for event in events] == ["ISS-0", "ISS-1"]
    assert ledger.event_outbox.claim_event(events[0], LATER)
    ledger.event_outbox.delivered(events[0], LATER)
    assert ledger.event_outbox.overdue_events(LATER) == {"sink": 1}


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


SINCE_RENAMED = {"issue_id": "subject_id", "kind": "action", "hold_until": "limited_until"}


def test_a_ledger_from_before_there_were_migrations_goes_on(tmp_path: Path, home: Home) -> None:
    tracker = SimulatedTracker(Clock())
    publish(home, [CHECKOUT, DELIVERY])
    push(home, now=NOW, destinations=[ConfiguredDestination(tracker)])
    new = home.root / "ledger.sqlite"
    old = tmp_path / "old.sqlite"
    with sqlite3.connect(old) as connection:
        connection.executescript(FIRST_LEDGER)
        connection.execute("attach ? as new", (str(new),))
        for table in ("intents", "attempts", "audit", "schema_version"):
            columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
            there = ", ".join(SINCE_RENAMED.get(column, column) for column in columns)
            connection.execute(f"insert into {table} select {there} from new.{table}")
    connection.close()
    for file in home.root.glob("ledger.sqlite*"):
        file.unlink()
    home.ledger_head.unlink()
    old.rename(new)

    ledger = Ledger(home.ledger_url)
    assert ledger.born_at == BORN
    assert ledger.verify_audit().holds and ledger.verify_audit().rows == 6 + 2
    assert ledger.umbrellas.opened_since("sim", BORN) == {"checkout-squad": 1, "logistics-desk": 1}
    report = push(home, now=NOW, destinations=[ConfiguredDestination(tracker)])
    assert (report.created, report.unchanged, len(tracker.records)) == (0, 2, 2)

"""The ledger: one open intent at a time, each move made once, every attempt kept."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.schema import CreateTable

from dagster_project.automation.ledger import engine, tables
from dagster_project.automation.ledger.intents import Intent, State
from dagster_project.automation.ledger.ledger import LEASE, Ledger
from dagster_project.automation.ledger.transitions import RETRY_REJECTED
from dagster_project.automation.outcomes import Confirmed, Deferred, NotSent, Outcome, Rejected, Unknown, Written
from dagster_project.automation.ticket import KIND, ExternalTicket, Ticket
from dagster_project.automation.tickets.actions import Action
from dagster_project.automation.tickets.brief import render
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home
from tests.automation.support import BORN, CHECKOUT, NOW

TICKET = render(CHECKOUT, "sim")
THERE = ExternalTicket("7", "https://tracker.example/7", TICKET.title, TICKET.body)
SETTLE = timedelta(seconds=60)


def recorded(ledger: Ledger) -> Intent:
    ledger.record([(None, Action.CREATE, TICKET)], "sim", NOW)
    head = ledger.head(CHECKOUT.issue_id, "sim")
    assert head is not None
    return head


def claimed(ledger: Ledger) -> Intent:
    intent = ledger.claim(recorded(ledger), Action.CREATE, TICKET, NOW)
    assert intent is not None
    return intent


def head(ledger: Ledger) -> Intent:
    found = ledger.head(CHECKOUT.issue_id, "sim")
    assert found is not None
    return found


def rows(home: Home, table: str) -> list[dict[str, Any]]:
    with sqlite3.connect(home.root / "ledger.sqlite") as connection:
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute(f"select * from {table}")]
    connection.close()
    return found


def test_an_intent_is_durable_before_it_is_sent(ledger: Ledger, home: Home) -> None:
    intent = recorded(ledger)
    again = Ledger(home.ledger_url)
    assert again.head(CHECKOUT.issue_id, "sim") == intent
    assert Ticket.from_json(again.payload(intent)) == TICKET
    assert again.count_by_state() == {"pending": 1}


def test_one_create_per_issue_and_destination_is_the_databases_own_rule(ledger: Ledger, home: Home) -> None:
    recorded(ledger)
    ledger.record([(None, Action.CREATE, TICKET)], "sim", NOW)  # another run: nothing happens
    assert ledger.count_by_state() == {"pending": 1}
    opened = engine.connect(home.ledger_url)
    with opened.connect() as connection:
        row = dict(connection.execute(select(tables.intents)).mappings().one())
    with pytest.raises(IntegrityError, match="UNIQUE"), opened.begin() as connection:
        connection.execute(insert(tables.intents), {**row, "intent_id": "another"})
    with pytest.raises(IntegrityError, match="sequence_starts_at_0"), opened.begin() as connection:
        connection.execute(insert(tables.intents), {**row, "intent_id": "another", "sequence": -1})
    opened.dispose()


@pytest.mark.parametrize(
    ("outcome", "state", "wait"),
    [
        (Confirmed(THERE), State.CONFIRMED, None),
        (Rejected("malformed"), State.REJECTED, RETRY_REJECTED),
        (Rejected("wrong token", whole_destination=True), State.REJECTED, timedelta()),
        (Unknown("timed out"), State.UNKNOWN, SETTLE),
        (NotSent("refused"), State.PENDING, SETTLE),
        (Deferred("slow down", timedelta(minutes=5)), State.PENDING, timedelta(minutes=5)),
    ],
)
def test_every_outcome_has_its_state(
    ledger: Ledger, home: Home, outcome: Outcome[Written], state: State, wait: timedelta | None
) -> None:
    assert ledger.finish(claimed(ledger), outcome, NOW, SETTLE)
    after = head(ledger)
    assert after.state is state
    spread = wait * 0.25 if wait and state is State.PENDING else timedelta()
    assert wait is None or NOW + wait <= after.not_before <= NOW + wait + spread
    assert (after.external_id, after.url) == (("7", THERE.url) if state is State.CONFIRMED else (None, None))
    (attempt,) = rows(home, "attempts")
    assert (attempt["action"], attempt["reason"]) == (
        "create",
        "" if isinstance(outcome, Confirmed) else outcome.reason,
    )


def test_only_one_of_two_runs_gets_the_claim(ledger: Ledger, home: Home) -> None:
    intent, other = recorded(ledger), Ledger(home.ledger_url)
    assert ledger.claim(intent, Action.CREATE, TICKET, NOW)
    assert other.claim(intent, Action.CREATE, TICKET, NOW) is None


def test_many_threads_one_claim(home: Home) -> None:
    ledgers = [Ledger(home.ledger_url) for _ in range(8)]
    intent = recorded(ledgers[0])
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda ledger: ledger.claim(intent, Action.CREATE, TICKET, NOW), ledgers))
    assert sum(claim is not None for claim in got) == 1


def test_many_processes_may_make_the_ledger_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'ledger.sqlite'}"
    with ThreadPoolExecutor(8) as pool:
        born = set(pool.map(lambda minute: Ledger(url, now=BORN + timedelta(minutes=minute)).born_at, range(8)))
    assert len(born) == 1


def test_a_dead_run_leaves_an_unknown_outcome_that_settles_after_its_lease(ledger: Ledger) -> None:
    intent = claimed(ledger)
    assert not ledger.expire(intent, NOW + LEASE / 2, SETTLE)
    assert ledger.expire(intent, NOW + LEASE, SETTLE)
    assert head(ledger).state is State.UNKNOWN
    assert head(ledger).not_before == NOW + LEASE + SETTLE


def test_a_late_confirmation_counts_while_nobody_has_sent_again(ledger: Ledger) -> None:
    intent = claimed(ledger)
    ledger.expire(intent, NOW + LEASE, SETTLE)
    assert ledger.finish(intent, Confirmed(THERE), NOW + 2 * LEASE, SETTLE)
    assert head(ledger).external_id == "7"


def test_a_late_confirmation_after_a_resend_is_told_and_kept(ledger: Ledger, home: Home) -> None:
    intent = claimed(ledger)
    ledger.expire(intent, NOW + LEASE, SETTLE)
    ledger.absent(head(ledger), NOW + LEASE + SETTLE)
    assert ledger.claim(head(ledger), Action.CREATE, TICKET, NOW + LEASE + SETTLE)
    assert not ledger.finish(intent, Confirmed(THERE), NOW + 2 * LEASE, SETTLE)
    assert head(ledger).state is State.SENDING
    told = [json.loads(row["detail"]) for row in rows(home, "audit") if "took over" in row["event"]]
    assert told == [{"external_id": "7", "url": THERE.url}]


def test_a_stale_look_up_changes_nothing(ledger: Ledger) -> None:
    ledger.finish(claimed(ledger), Unknown("timed out"), NOW, SETTLE)
    stale = head(ledger)
    ledger.absent(stale, NOW)
    again = ledger.claim(head(ledger), Action.CREATE, TICKET, NOW)
    assert again is not None
    ledger.finish(again, Unknown("timed out"), NOW, SETTLE)
    assert not ledger.absent(stale, NOW)  # it looked before the second write
    assert head(ledger).state is State.UNKNOWN


def test_a_new_intent_follows_a_confirmed_one_and_knows_the_ticket(ledger: Ledger) -> None:
    ledger.finish(claimed(ledger), Confirmed(THERE), NOW, SETTLE)
    first = head(ledger)
    ledger.record([(first, Action.UPDATE, TICKET)], "sim", NOW)
    second = head(ledger)
    assert (second.sequence, second.external_id) == (1, "7")
    assert ledger.delivered_before(second) == first
    assert ledger.open_heads("sim") == {CHECKOUT.issue_id: second}
    assert ledger.open_heads("elsewhere") == {}


def test_a_rate_limit_holds_the_destination_across_runs(ledger: Ledger, home: Home) -> None:
    ledger.finish(claimed(ledger), Deferred("slow down", timedelta(minutes=5)), NOW, SETTLE)
    later = Ledger(home.ledger_url)
    assert later.rate_limited_until("sim", NOW + timedelta(minutes=4)) == NOW + timedelta(minutes=5)
    assert later.rate_limited_until("sim", NOW + timedelta(minutes=5)) is None
    assert later.rate_limited_until("elsewhere", NOW) is None


def test_confirmed_intents_are_exported_once_and_only_if_the_export_ends_well(ledger: Ledger) -> None:
    ledger.finish(claimed(ledger), Confirmed(THERE), NOW, SETTLE)
    with pytest.raises(RuntimeError, match="disk full"), ledger.exporting(KIND, NOW):
        raise RuntimeError("disk full")
    with ledger.exporting("mitigation", NOW) as confirmed:
        assert confirmed == []
    with ledger.exporting(KIND, NOW) as confirmed:
        (one,) = confirmed
        assert (one.intent.external_id, one.payload, one.members) == ("7", TICKET.as_json(), [])
    with ledger.exporting(KIND, NOW) as confirmed:
        assert confirmed == []


def test_everything_that_happened_is_in_the_audit_in_order(ledger: Ledger, home: Home) -> None:
    ledger.finish(claimed(ledger), Unknown("timed out"), NOW, SETTLE)
    ledger.found(head(ledger), THERE, as_sent=True, now=NOW + SETTLE)
    assert [row["event"] for row in rows(home, "audit")] == [
        "intent recorded",
        "intent claimed",
        "intent unknown",
        "intent found",
    ]
    assert {row["actor"] for row in rows(home, "audit")} == {"push"}
    assert [row["outcome"] for row in rows(home, "attempts")] == ["unknown", "confirmed"]


def test_instants_are_utc_whatever_comes_in(ledger: Ledger) -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    ledger.record([(None, Action.CREATE, TICKET)], "sim", elsewhere)
    assert head(ledger).created_at == NOW
    assert head(ledger).created_at.tzinfo is UTC
    with pytest.raises(StatementError, match="time zone"):
        ledger.withdraw(head(ledger), datetime(2026, 1, 1))


def test_the_default_database_survives_a_crash_and_concurrent_runs(ledger: Ledger, home: Home) -> None:
    opened = engine.connect(home.ledger_url)
    with opened.connect() as connection:
        found = [connection.scalar(text(f"pragma {name}")) for name in ("journal_mode", "synchronous", "busy_timeout")]
    opened.dispose()
    assert found == ["wal", 2, 30_000]


@pytest.mark.parametrize("dialect", [postgresql.dialect(), mysql.dialect()], ids=["postgresql", "mysql"])  # type: ignore[no-untyped-call]
def test_the_schema_is_plain_sql(dialect: Any) -> None:
    for table in tables.metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("no url", "FEEDBACK_LEDGER_URL"),
        ("sqlite:////dev/null/ledger.sqlite", "FEEDBACK_LEDGER_URL"),
        ("nosuchdatabase://somewhere/x", "FEEDBACK_LEDGER_URL"),
    ],
)
def test_an_unusable_ledger_names_the_setting(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Ledger(url)


def test_a_ledger_of_another_version_is_left_alone(home: Home) -> None:
    with sqlite3.connect(home.root / "ledger.sqlite") as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    connection.close()
    with pytest.raises(ConfigurationError, match="schema version 9999"):
        Ledger(home.ledger_url)


def test_a_ticket_survives_the_ledger(ledger: Ledger) -> None:
    odd = Ticket(
        "i", "m", "t\u200b", "b\n\U0001f600", "open", "P1", "o", ("a", "b"), (("urgency", "1"),), True, "n", "k", True
    )
    ledger.record([(None, Action.CREATE, odd)], "sim", NOW)
    found = ledger.head("i", "sim")
    assert found is not None and Ticket.from_json(ledger.payload(found)) == odd

"""The audit log: complete, in order, and not to be changed without it showing."""

from __future__ import annotations

import sqlite3

import pytest

from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.tickets.push import push
from dagster_project.home import Home
from tests.automation.support import CHECKOUT, DELIVERY, NOW, Clock, SimulatedTracker, publish


@pytest.fixture
def busy(home: Home) -> Home:
    """A home after two tickets."""
    publish(home, [CHECKOUT, DELIVERY])
    push(home, now=NOW, destinations=[ConfiguredDestination(SimulatedTracker(Clock()))])
    return home


def tampered(home: Home, *statements: str) -> Ledger:
    with sqlite3.connect(home.root / "ledger.sqlite") as connection:
        for name in ("audit_no_update", "audit_no_delete", "attempts_no_update", "attempts_no_delete"):
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
    ledger = tampered(busy, "delete from audit", "delete from attempts", "delete from intents", end)
    assert ledger.verify_audit().holds  # the chain alone cannot tell
    assert not ledger.verify_audit(kept).holds

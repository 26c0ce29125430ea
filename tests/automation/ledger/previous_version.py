"""A ledger that the previous version wrote (``ledger_0005.sql``), and the tracker as that version left it.

Tracker ``sim``: tickets of ISS-0 (resolved), ISS-1 (updated), ISS-2 (its update is pending), ISS-3, ISS-4, an umbrella
with ISS-5 and ISS-6, and ISS-8, whose answer was lost. Mailbox: a held create of ISS-9. Sink: an event not delivered.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from dagster_project.automation.ticket import Ticket
from tests.automation.support import CHECKOUT, NOW, Clock, Record, SimulatedTracker, resolved

SCRIPT = (Path(__file__).parent / "ledger_0005.sql").read_text(encoding="utf-8")
LATER = NOW + timedelta(hours=3)
UMBRELLA = "UMB-BD1AD3E233"
LOST = 7
"""The number of the ticket whose answer was lost."""

AUDIT_ROWS, AUDIT_END = 58, "e61cf29eaba1a4e1326e52fe68e0086981ead14a11ae50af9564e36c7bd28f32"
_OWNERS = {8: "logistics-desk"}
_ISSUES = [
    replace(CHECKOUT, issue_id=f"ISS-{number}", priority="P2", owner=_OWNERS.get(number, "checkout-squad"))
    for number in (0, 1, 2, 3, 4, 5, 6, 8)
]
QUEUE = [resolved(_ISSUES[0]), *_ISSUES[1:]]
"""The issues that the tickets are about; what the tickets say is in the ledger."""


def write_to(path: Path) -> None:
    """Make it the database at this path."""
    with sqlite3.connect(path) as connection:
        connection.executescript(SCRIPT)
    connection.close()


def rows(table: str) -> list[dict[str, Any]]:
    """The rows of a table, as the previous version wrote them."""
    with sqlite3.connect(":memory:") as connection:
        connection.executescript(SCRIPT)
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute(f"select * from {table} order by 1")]
    connection.close()
    return found


def tickets() -> dict[tuple[str, str], Ticket]:
    """The newest ticket by issue and destination: what that version rendered from its queue."""
    by_sequence = sorted(rows("intents"), key=lambda row: int(row["sequence"]))
    return {(row["issue_id"], row["destination"]): Ticket.from_json(row["payload"]) for row in by_sequence}


def tracker() -> SimulatedTracker:
    """The tracker ``sim`` as it was left: every ticket that was opened, also the one without an answer."""
    left, there = SimulatedTracker(Clock(LATER)), dict[int, Ticket]()
    for row in sorted(rows("intents"), key=lambda row: int(row["sequence"])):
        if row["destination"] == left.name and row["state"] in ("confirmed", "unknown"):
            there[int(row["external_id"] or LOST)] = Ticket.from_json(row["payload"])
    left.records = [Record(number, there[number], there[number].closes, NOW) for number in sorted(there)]
    return left

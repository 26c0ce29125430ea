"""Benchmark of a push with a long history: one that has nothing to do, and one with a single new ticket.

    python -m benchmarks.ledger           # with 5,000 and with 50,000 intents in the ledger

The history is written in a process of its own, so that the peak memory of a push is that of the push alone.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection, func, insert, select, update

from benchmarks.measuring import ROOT, cost_of
from benchmarks.queues import issues, publish
from dagster_project.automation.destinations.configured import ConfiguredDestination
from dagster_project.automation.ledger import engine
from dagster_project.automation.ledger.audit import chained
from dagster_project.automation.ledger.lake_export import export_sync
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.tables import attempts, audit, audit_end, intents, umbrella_members
from dagster_project.automation.ticket import KIND, ExternalTicket, Ticket
from dagster_project.automation.tickets.push import push
from dagster_project.automation.tickets.ticket_events import export_events
from dagster_project.home import Home

SIZES = (5_000, 50_000)
OPEN = 20
ROUNDS = 5
PER_TICKET = 3
"""Intents of a ticket that is over: opened, updated, resolved."""

UMBRELLA_EVERY, MEMBERS = 200, 20
"""Each so-manieth ticket is an umbrella, over so many issues."""

_NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
_DAYS = 700
_BEGAN = _NOW - timedelta(days=_DAYS + 5)
_TABLES = (intents, attempts, audit)


@dataclass(frozen=True)
class Row:
    """Cost of a push at one size of the ledger; sizes are on disk."""

    intents: int
    idle: float
    busy: float
    mib: float
    ledger_mib: float
    lake_mib: float


def compare(say: Callable[[str], None] = print) -> list[Row]:
    """A push after a shorter and after a longer history."""
    rows = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            filling = [sys.executable, "-m", "benchmarks.ledger", "fill", folder, str(size)]
            subprocess.run(filling, check=True, cwd=ROOT)
            idle = cost_of([sys.executable, "-m", "benchmarks.ledger", "idle", folder])
            busy = cost_of([sys.executable, "-m", "benchmarks.ledger", "busy", folder])
            row = Row(
                intents=size,
                idle=json.loads(idle.output)["seconds"],
                busy=json.loads(busy.output)["seconds"],
                mib=idle.mib,
                ledger_mib=size_of(Path(folder), "ledger.sqlite*"),
                lake_mib=size_of(Path(folder), "lake/**/*.parquet"),
            )
        rows.append(row)
        say(f"{size:,} intents: {row.idle:.3f} s, {row.busy:.3f} s with a new ticket, {row.mib:,.0f} MiB")
    return rows


def size_of(folder: Path, pattern: str) -> float:
    """Files of a folder, in MiB."""
    return sum(path.stat().st_size for path in folder.glob(pattern)) / 1024**2


class Nowhere:
    """A tracker that takes everything at once, so that only our own work is measured."""

    name = "nowhere"
    settle_seconds = 0.0

    def create(self, ticket: Ticket) -> ExternalTicket:
        return ExternalTicket(ticket.marker, "https://tracker.example", ticket.title, ticket.body, ticket.closes)

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        return self.create(ticket)

    resolve = update

    def find_by_marker(self, marker: str, since: datetime | None = None) -> list[ExternalTicket]:
        return []


def queue(over: int, still_open: int) -> pl.DataFrame:
    """Issues of which the first are over, and the last open."""
    return issues(over + still_open, detected_at=_BEGAN, resolved=[True] * over + [False] * still_open)


def push_again(home: Home, *, new: bool) -> float:
    """The median seconds of several pushes, each of an unchanged queue or of one with a new ticket."""
    over, taken = json.loads((home.root / "over.json").read_text()), []
    for number in range(1, ROUNDS + 1):
        if new:
            publish(home, queue(over, OPEN + number))
        started = time.perf_counter()
        report = push(home, now=_NOW + timedelta(minutes=15 * number), destinations=[ConfiguredDestination(Nowhere())])
        taken.append(time.perf_counter() - started)
        done = {name: count for name, count in report.counts.items() if count}
        assert done == ({"created": 1, "unchanged": OPEN + number - 1} if new else {"unchanged": OPEN}), report
    return statistics.median(taken)


def fill(home: Home, size: int) -> None:
    """A history of so many intents, and a queue whose last issues are open.

    One ticket's life is pushed, and its rows are copied under other names and times; what the lake has to know of them
    is exported as after any push.
    """
    ledger = Ledger(home.ledger_url, now=_BEGAN - timedelta(days=1))
    for hours, rows in enumerate((queue(0, 1), queue(0, 1).with_columns(priority=pl.lit("P1")), queue(1, 0))):
        publish(home, rows)
        push(home, now=_BEGAN + timedelta(hours=hours), destinations=[ConfiguredDestination(Nowhere())], ledger=ledger)
    over = (size - OPEN) // PER_TICKET
    opened = engine.connect(home.ledger_url)
    with opened.begin() as connection:
        copy(connection, over)
    opened.dispose()
    export_events(home, ledger, _NOW - timedelta(days=3), {})
    export_sync(home, ledger, KIND, [])
    publish(home, queue(over, OPEN))
    for days in (3, 2, 1):  # opened; checked for duplicates twice
        push(home, now=_NOW - timedelta(days=days), destinations=[ConfiguredDestination(Nowhere())], ledger=ledger)
    assert sum(ledger.count_by_state().values()) == over * PER_TICKET + OPEN
    assert ledger.verify_audit().broken_at is None  # the payloads of the copies are not in the log
    (home.root / "over.json").write_text(json.dumps(over))


def copy(connection: Connection, count: int) -> None:
    """The one ticket of the ledger so many times, the last of them lately; some are umbrellas."""
    lives = {table: [dict(row) for row in connection.execute(select(table)).mappings()] for table in _TABLES}
    connection.execute(update(intents).values(duplicate_checks=2, duplicates_checked_at=_BEGAN))
    link = str(connection.execute(select(audit_end.c.hash)).scalar_one())
    for number in range(1, count):
        name = f"UMB-{number}" if number % UMBRELLA_EVERY == 0 else f"ISS-{number}"
        later = timedelta(days=_DAYS * number / count)
        for table, life in lives.items():
            rows = [_renamed(row, name, number, later) for row in life]
            if table is audit:
                for row in rows:
                    link = row["hash"] = chained(link, row)
            connection.execute(insert(table), rows)
        if name.startswith("UMB"):
            same = {"destination": Nowhere.name, "umbrella_id": name, "joined_at": _BEGAN + later}
            members = [{**same, "subject_id": f"{name}-{place}"} for place in range(MEMBERS)]
            connection.execute(insert(umbrella_members), members)
    last: int = connection.execute(select(func.max(audit.c.audit_id))).scalar_one()
    connection.execute(update(audit_end).values(audit_id=last, hash=link))


def _renamed(row: dict[str, Any], name: str, number: int, later: timedelta) -> dict[str, Any]:
    copied = {column: value + later if isinstance(value, datetime) else value for column, value in row.items()}
    for counted in ("attempt_id", "audit_id"):
        copied.pop(counted, None)
    if row["intent_id"]:
        copied["intent_id"] = f"{number:06x}{row['intent_id'][6:]}"
    own: dict[str, Any] = {"subject_id": name, "owner": f"squad-{number}", "exported_at": None}
    own |= {"duplicates_checked_at": _BEGAN, "duplicate_checks": 2}
    return copied | {column: value for column, value in own.items() if column in row}


def table(rows: Sequence[Row]) -> list[str]:
    """The rows as Markdown."""
    lines = [
        "| intents | nothing to do, seconds | a new ticket, seconds | peak memory | ledger | lake |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    return lines + [
        f"| {row.intents:,} | {row.idle:.3f} | {row.busy:.3f} | {row.mib:,.0f} MiB | {row.ledger_mib:,.0f} MiB |"
        f" {row.lake_mib:,.1f} MiB |"
        for row in rows
    ]


def main() -> None:
    """Fill a ledger, push, or compare."""
    match sys.argv[1:]:
        case ["fill", folder, size]:
            fill(Home(Path(folder)), int(size))
        case [("idle" | "busy") as kind, folder]:
            print(json.dumps({"seconds": push_again(Home(Path(folder)), new=kind == "busy")}))
        case _:
            print("\n".join(table(compare())))


if __name__ == "__main__":
    main()

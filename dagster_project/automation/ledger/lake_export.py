"""Lake export of the ledger, for the warehouse: how well pushing goes, and every write as it is now.

    sync_runs        each push that had something to do, by destination
    sync_attempts    each try at a write, and each look-up
    sync_snapshot    the newest intent of every subject

The lake is brought up to date at the end of every push, and is complete even if earlier pushes were interrupted; a push
that had nothing to do writes nothing. The lake's columns call the subject ``issue_id``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
from sqlalchemy import RowMapping

from dagster_project import lake
from dagster_project.automation.ledger.queries import Queries
from dagster_project.home import Home
from dagster_project.lake_tables import schema_of

RUNS, ATTEMPTS, SNAPSHOT = "sync_runs", "sync_attempts", "sync_snapshot"
Row = dict[str, object]
Eras = Sequence[tuple[int, str]]
"""Beginnings of the ledger's life and of its epochs, each with the last attempt before it."""

_LATE = 1_000  # attempts: so many numbers after it another run may still commit one
_NO_ATTEMPT = 2**31 - 1  # as far as the column goes


@dataclass(frozen=True)
class SyncRun:
    """One destination's part of a push: when, and the counts of what was done."""

    destination: str
    started_at: datetime
    finished_at: datetime
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def did_something(self) -> bool:
        """True if anything was sent, failed or waits."""
        return any(count for name, count in self.counts.items() if name != "unchanged")


def export_sync(home: Home, ledger: Queries, kind: str, runs: Sequence[SyncRun]) -> None:
    """Bring the sync tables up to date with the ledger's intents of a kind."""
    for table in (RUNS, ATTEMPTS, SNAPSHOT):
        lake.ensure_table(home, table)
    busy = [run for run in runs if run.did_something]
    land(home, RUNS, [_run(run) for run in busy])
    with lake.lock_table(home, ATTEMPTS):
        exported = _export_attempts(home, ledger, kind)
    if exported or busy or not lake.is_there(home, SNAPSHOT):
        lake.replace(home, SNAPSHOT, _snapshot(ledger, kind))


def land(home: Home, table: str, rows: Sequence[Row]) -> None:
    """Append rows to a table of the lake, if there are any."""
    if rows:
        lake.append(home, table, pl.DataFrame(list(rows), schema=schema_of(table)))


def _export_attempts(home: Home, ledger: Queries, kind: str) -> bool:
    """Land the attempts that the lake lacks; False if there were none."""
    eras = ledger.eras()
    rows = _unseen(home, ledger, kind, eras)
    columns = {"intent_id": "intent_id", "issue_id": "subject_id", "destination": "destination", "kind": "action"}
    columns |= {"outcome": "outcome", "reason": "reason", "occurred_at": "at", "known_at": "at"}
    attempts = [
        {"attempt_id": _name(eras, row["attempt_id"]), **{name: row[column] for name, column in columns.items()}}
        for row in rows
    ]
    land(home, ATTEMPTS, attempts)
    return bool(rows)


def _name(eras: Eras, number: int) -> str:
    """The id of an attempt in the lake: a ledger that was put back gives the same numbers again."""
    return f"{next(began for before, began in reversed(eras) if number > before)}-{number}"


def _unseen(home: Home, ledger: Queries, kind: str, eras: Eras) -> list[RowMapping]:
    """The attempts that the lake lacks, oldest first; searched from the newest back, so that history costs nothing.

    Only the days of the attempts at hand are read in the lake. If the newest attempt is there, so are all. If not, the
    search goes back to the first that is there, and some numbers further: another run may commit an older number late.
    """
    unseen: list[RowMapping] = []
    below, last_look = _NO_ATTEMPT, False
    while True:
        batch = ledger.attempts_before(kind, below, _LATE if unseen else 1)
        known = _known(home, eras, batch)
        unseen += [row for row in batch if row["attempt_id"] not in known]
        if not batch or not unseen or last_look:
            return unseen[::-1]
        below, last_look = batch[-1]["attempt_id"], bool(known)


def _known(home: Home, eras: Eras, rows: Sequence[RowMapping]) -> set[int]:
    """The numbers of those of these attempts that the lake has."""
    seen = lake.scan_days(home, ATTEMPTS, {row["at"].date() for row in rows})
    names = [_name(eras, row["attempt_id"]) for row in rows]
    found = seen.filter(pl.col("attempt_id").is_in(names)).select("attempt_id").collect()
    return {int(name.partition("-")[2]) for name in found["attempt_id"]}


def _snapshot(ledger: Queries, kind: str) -> pl.DataFrame:
    named = {"issue_id": "subject_id", "known_at": "updated_at"}
    schema = schema_of(SNAPSHOT)
    rows = [tuple(row[named.get(name, name)] for name in schema) for row in ledger.heads(kind)]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _run(run: SyncRun) -> Row:
    key = f"{run.destination} {run.started_at.isoformat()} {run.finished_at.isoformat()}"
    return {
        "run_id": hashlib.sha256(key.encode()).hexdigest()[:32],
        "destination": run.destination,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        **run.counts,
        "known_at": run.finished_at,
    }

"""What automation did, for the warehouse: the ledger's tables as tables of the lake.

    ticket_events    what was confirmed outside, each event once for each issue that it concerns
    sync_runs        each push that had something to do, by destination
    sync_attempts    each try at a write, and each look-up
    sync_snapshot    every ticket as the ledger has it now

The lake is brought up to date at the end of every push, however often that is interrupted; a push that had nothing to
do writes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
from sqlalchemy import Connection, RowMapping, select

from dagster_project import lake
from dagster_project.automation.cloudevents import ticket_event_id
from dagster_project.automation.ledger.event_outbox import Sinks
from dagster_project.automation.ledger.intents import PAST, Action, Intent
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.tables import attempts, intents
from dagster_project.automation.ledger.umbrellas import Member
from dagster_project.automation.ticket import Ticket
from dagster_project.home import Home
from dagster_project.lake_tables import schema_of

EVENTS, RUNS, ATTEMPTS, SNAPSHOT = "ticket_events", "sync_runs", "sync_attempts", "sync_snapshot"
Row = dict[str, object]
_NOBODY: Sinks = {}
_LATE = 1_000  # attempts: so many numbers after it another run may still commit one
_NO_ATTEMPT = 2**31 - 1  # as far as the column goes


@dataclass(frozen=True)
class Synced:
    """One destination's part of a push: when, and how many of each count."""

    destination: str
    started_at: datetime
    finished_at: datetime
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def did_something(self) -> bool:
        """Whether anything was sent, failed or waits."""
        return any(count for name, count in self.counts.items() if name != "unchanged")


def export(home: Home, ledger: Ledger, runs: Sequence[Synced], now: datetime, sinks: Sinks = _NOBODY) -> None:
    """Bring the lake up to date with the ledger, and note what ``sinks`` of events are to be told."""
    for table in (EVENTS, RUNS, ATTEMPTS, SNAPSHOT):
        lake.ensure_table(home, table)
    _export_events(home, ledger, now, sinks)
    worth_telling = [run for run in runs if run.did_something]
    if worth_telling:
        _land(home, RUNS, [_run(run) for run in worth_telling])
    if _export_attempts(home, ledger) or worth_telling:
        lake.replace(home, SNAPSHOT, _snapshot(ledger))


def _export_events(home: Home, ledger: Ledger, now: datetime, sinks: Sinks) -> None:
    with ledger.exporting(now, sinks) as confirmed:
        events = {
            str(event["event_id"]): event
            for intent, ticket, members in confirmed
            if intent.destination not in sinks  # what a sink was told is no ticket
            for event in _events(intent, ticket, members)
        }
        if events:
            landed = lake.scan(home, EVENTS).filter(pl.col("event_id").is_in(list(events))).select("event_id").collect()
            known = set(landed["event_id"])
            _land(home, EVENTS, [event for key, event in events.items() if key not in known])


def _export_attempts(home: Home, ledger: Ledger) -> bool:
    """Whether there were any that the lake had not seen."""
    born = f"{ledger.born_at:%Y%m%d%H%M%S%f}"
    with ledger.reader.connect() as connection:
        rows = _unseen(home, connection, born)
    columns = ("intent_id", "issue_id", "destination", "kind", "outcome", "reason")
    _land(
        home,
        ATTEMPTS,
        [
            {
                "attempt_id": f"{born}-{row['attempt_id']}",
                **{name: row[name] for name in columns},
                "occurred_at": row["at"],
                "known_at": row["at"],
            }
            for row in rows
        ],
    )
    return bool(rows)


def _unseen(home: Home, connection: Connection, born: str) -> list[RowMapping]:
    """The attempts that the lake lacks, oldest first: looked for from the newest back, so that history costs nothing.

    The lake is asked for the days of what is looked at only. Where it has the newest, it has all; otherwise the look
    goes on for as many numbers past the first that it has as another run may commit late.
    """
    query = select(attempts, intents.c.issue_id).join(intents, intents.c.intent_id == attempts.c.intent_id)
    unseen: list[RowMapping] = []
    below, last_look = _NO_ATTEMPT, False
    while True:
        older = query.where(attempts.c.attempt_id < below).order_by(attempts.c.attempt_id.desc())
        batch = connection.execute(older.limit(_LATE if unseen else 1)).mappings().all()
        known = _known(home, born, batch)
        unseen += [row for row in batch if row["attempt_id"] not in known]
        if not batch or not unseen or last_look:
            return unseen[::-1]
        below, last_look = batch[-1]["attempt_id"], bool(known)


def _known(home: Home, born: str, rows: Sequence[RowMapping]) -> set[int]:
    """The numbers of those of these attempts that the lake has."""
    seen = lake.scan_days(home, ATTEMPTS, {row["at"].date() for row in rows})
    names = [f"{born}-{row['attempt_id']}" for row in rows]
    found = seen.filter(pl.col("attempt_id").is_in(names)).select("attempt_id").collect()
    return {int(name.partition("-")[2]) for name in found["attempt_id"]}


def _snapshot(ledger: Ledger) -> pl.DataFrame:
    columns = [name for name in schema_of(SNAPSHOT) if name != "known_at"]
    chosen = [intents.c[name] for name in columns]
    query = (
        select(*chosen, intents.c.updated_at.label("known_at")).where(intents.c.is_head).order_by(intents.c.intent_id)
    )
    with ledger.reader.connect() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    return pl.DataFrame(rows, schema=schema_of(SNAPSHOT), orient="row")


def _run(run: Synced) -> Row:
    key = f"{run.destination} {run.started_at.isoformat()} {run.finished_at.isoformat()}"
    return {
        "run_id": hashlib.sha256(key.encode()).hexdigest()[:32],
        "destination": run.destination,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        **run.counts,
        "known_at": run.finished_at,
    }


def _land(home: Home, table: str, rows: Sequence[Row]) -> None:
    if rows:
        lake.append(home, table, pl.DataFrame(list(rows), schema=schema_of(table)))


def about(event: Row, issue_id: str) -> Row:
    """What happened to an umbrella's ticket, as it concerns an issue under it."""
    event_id = hashlib.sha256(f"{event['event_id']} {issue_id}".encode()).hexdigest()[:32]
    return {**event, "event_id": event_id, "issue_id": issue_id}


def _events(intent: Intent, ticket: Ticket, members: Sequence[Member]) -> Iterator[Row]:
    event: Row = {
        "event_id": ticket_event_id(intent),
        "issue_id": intent.issue_id,
        "destination": intent.destination,
        "external_id": intent.external_id,
        "url": intent.url,
        "event": PAST[intent.action],
        "priority": ticket.priority,
        "occurred_at": intent.confirmed_at,
        "known_at": intent.confirmed_at,
    }
    yield event
    for member in members:
        if intent.confirmed_at and intent.confirmed_at >= member.joined_at:
            is_its_first = intent.action is Action.UPDATE and intent.confirmed_at == member.ticketed_at
            yield about(event, member.issue_id) | ({"event": PAST[Action.CREATE]} if is_its_first else {})

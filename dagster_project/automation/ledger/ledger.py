"""The ledger: the transactional record that lets a write happen exactly once outside.

Every method is one transaction. A method that moves an intent names the state, and the count of attempts, that its
caller saw; when another run got there first the move does nothing and says so. States, and what moves between them:

    pending ──claim──> sending ──finish──> confirmed | rejected | unknown | pending (certainly not sent)
    sending ──expire──> unknown            the run that sent it died, or lost its lease
    unknown ──found──> confirmed           looked up after the settle time, and there
    unknown ──absent──> pending            looked up after the settle time, and not there
    unknown ──hold──> held                 nobody but a person can tell (outbox.py)
    pending, rejected ──withdraw──> withdrawn       no longer wanted, and never sent; a claim revives it

Attempts and audit rows are only ever added, and the audit rows are chained by hashes. Tickets are stored as rendered,
with customers' text already masked; credentials never reach the ledger.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Update, bindparam, func, insert, select, update

from dagster_project.automation.ledger import transitions
from dagster_project.automation.ledger.duplicate_checks import SweepBook
from dagster_project.automation.ledger.event_outbox import Sinks, TellingBook
from dagster_project.automation.ledger.intents import NOT_THERE, Action, Grounds, Intent, State
from dagster_project.automation.ledger.pull_cursors import PullBook
from dagster_project.automation.ledger.store import AT_ONCE, INTENT, NO_GROUNDS, STILL_OPEN, intent_of
from dagster_project.automation.ledger.tables import attempts, intents, pulls, tellings
from dagster_project.automation.ledger.umbrellas import Member, UmbrellaBook
from dagster_project.automation.outcomes import Confirmed, Deferred, NotSent, Outcome, Unknown
from dagster_project.automation.ticket import ExternalTicket, Ticket

LEASE = timedelta(minutes=2)
"""How long one send may take before another run may conclude that the sender died; far above any request timeout."""

LOOK_UP = "look_up"
"""The kind of an attempt that only reads."""

PATIENCE = 8
"""How often an intent may get lost before it is left to a person: what is lost every time is a poison, no accident."""

_NOBODY: Sinks = {}


class Ledger(SweepBook, TellingBook, UmbrellaBook, PullBook):
    """The ledger behind an SQLAlchemy URL; its tables are made, or brought up to date, when that is due.

    Raises:
        ConfigurationError: the database cannot be reached, or was written by another version.
    """

    # ---------- reading

    def count_by_state(self) -> dict[str, int]:
        """How many intents are in each state; states without any are left out."""
        with self.reader.connect() as connection:
            rows = connection.execute(select(intents.c.state, func.count()).group_by(intents.c.state)).all()
        return {str(row[0]): int(row[1]) for row in rows}

    def tries_since(self, instant: datetime) -> dict[str, dict[str, int]]:
        """How many writes were tried since then, by destination and outcome; look-ups do not count."""
        query = (
            select(attempts.c.destination, attempts.c.outcome, func.count())
            .where(attempts.c.at >= instant, attempts.c.kind != LOOK_UP)
            .group_by(attempts.c.destination, attempts.c.outcome)
        )
        found: dict[str, dict[str, int]] = {}
        with self.reader.connect() as connection:
            for row in connection.execute(query):
                found.setdefault(str(row[0]), {})[str(row[1])] = int(row[2])
        return found

    def open_heads(self, destination: str, also: Collection[str] = ()) -> dict[str, Intent]:
        """The newest intent of every issue whose ticket may still change there, and of those in ``also``, by issue.

        Left out is what was resolved and confirmed; indexes make this independent of how much that is.
        """
        named, here = sorted(also), select(*INTENT).where(intents.c.destination == destination)
        queries = [here.where(intents.c.is_head, one) for one in STILL_OPEN]
        for start in range(0, len(named), AT_ONCE):
            # By number, so that the last of each is its head: asked for heads, SQLite would go through all there are.
            by_name = intents.c.issue_id.in_(named[start : start + AT_ONCE])
            queries.append(here.where(by_name).order_by(intents.c.sequence))
        with self.reader.connect() as connection:
            rows = [row for query in queries for row in connection.execute(query).mappings()]
        return {row["issue_id"]: intent_of(row) for row in rows}

    def head(self, issue_id: str, destination: str) -> Intent | None:
        """The newest intent of one issue."""
        with self.reader.connect() as connection:
            row = connection.execute(_HEAD, {"issue": issue_id, "destination": destination}).mappings().first()
        return intent_of(row) if row else None

    def delivered_before(self, intent: Intent) -> Intent | None:
        """The last confirmed intent before this one: what the target held when this one was written."""
        here = (intents.c.issue_id == intent.issue_id) & (intents.c.destination == intent.destination)
        before = (intents.c.sequence < intent.sequence) & (intents.c.state == State.CONFIRMED)
        query = select(*INTENT).where(here, before).order_by(intents.c.sequence.desc()).limit(1)
        with self.reader.connect() as connection:
            row = connection.execute(query).mappings().first()
        return intent_of(row) if row else None

    def ticket(self, intent: Intent) -> Ticket:
        """What the intent says."""
        query = select(intents.c.payload).where(intents.c.intent_id == intent.intent_id)
        with self.reader.connect() as connection:
            return Ticket.from_json(connection.execute(query).scalar_one())

    def held_until(self, destination: str, now: datetime) -> datetime | None:
        """Until when a rate limit that this or an earlier run met keeps the destination closed; None if it is open."""
        limits = [
            select(func.max(table.c.hold_until)).where(table.c.destination == destination)
            for table in (attempts, tellings, pulls)
        ]
        with self.reader.connect() as connection:
            met: list[datetime | None] = [connection.execute(query).scalar_one() for query in limits]
        return max((until for until in met if until and until > now), default=None)

    # ---------- moving

    def record(
        self,
        wanted: Sequence[tuple[Intent | None, Action, Ticket]],
        destination: str,
        now: datetime,
        grounds: Mapping[str, Grounds] | None = None,
    ) -> None:
        """Make intents durable as pending, each after the head it follows.

        One that another run has recorded meanwhile stays as that run wrote it. ``grounds`` says by issue why.
        """
        with self.engine.begin() as connection:
            self.take_turns(connection)  # from here on nobody else records an intent, or gathers an issue
            for start in range(0, len(wanted), AT_ONCE):
                rows = [transitions.pending(*one, destination, now) for one in wanted[start : start + AT_ONCE]]
                self._insert(connection, destination, rows, now, grounds or {})

    def claim(self, intent: Intent, action: Action, ticket: Ticket, now: datetime) -> Intent | None:
        """Take the intent for sending, with what is wanted now; None when another run was faster."""
        values = {
            "state": State.SENDING,
            "action": action,
            "payload": ticket.as_json(),
            "payload_hash": ticket.content_hash,
            "attempts": intent.attempts + 1,
            "lease_until": now + LEASE,
        }
        with self.engine.begin() as connection:
            if not self._move(connection, intent, NOT_THERE, "claimed", now, values):
                return None
        return replace(
            intent,
            state=State.SENDING,
            action=action,
            payload_hash=ticket.content_hash,
            attempts=intent.attempts + 1,
            lease_until=now + LEASE,
        )

    def finish(self, intent: Intent, outcome: Outcome, now: datetime, settle: timedelta) -> bool:
        """Record what became of a claimed intent; False if another run took it over, so that this outcome is extra."""
        with self.engine.begin() as connection:
            self._try(connection, intent, intent.action, outcome, now)
            values = transitions.after(outcome, now, settle, intent)
            moved = self._move(connection, intent, (State.SENDING,), transitions.name_of(outcome), now, values)
            if not moved and isinstance(outcome, Confirmed):
                return self._confirm_late(connection, intent, outcome.ticket, now)
        return moved

    def expire(self, intent: Intent, now: datetime, settle: timedelta) -> bool:
        """Conclude that the run that was sending this is gone; whether it was sent is unknown."""
        if intent.lease_until is None or intent.lease_until > now:
            return False
        reason = "the run that sent it ended before it could record the outcome"
        values = {"state": State.UNKNOWN, "reason": reason, "not_before": intent.lease_until + settle}
        with self.engine.begin() as connection:
            moved = self._move(connection, intent, (State.SENDING,), "expired", now, values)
            if moved:
                self._try(connection, intent, intent.action, Unknown(reason), now)
        return moved

    def found(self, intent: Intent, ticket: ExternalTicket, *, as_sent: bool, now: datetime) -> bool:
        """Confirm an intent of unknown outcome: a look-up found it, saying what was sent or something else."""
        values = transitions.after(Confirmed(ticket), now, timedelta(), intent)
        if not as_sent:
            values["payload_hash"] = ""  # the target holds other words, so the next comparison sends an update
        with self.engine.begin() as connection:
            states = (State.UNKNOWN, State.PENDING, State.WITHDRAWN)
            moved = self._move(connection, intent, states, "found", now, values)
            if moved:
                self._try(connection, intent, LOOK_UP, Confirmed(ticket), now)
        return moved

    def absent(self, intent: Intent, now: datetime) -> bool:
        """A look-up found nothing: the intent may be sent."""
        reason = "looked up and not there"
        values = {"state": State.PENDING, "reason": reason, "not_before": now}
        lost = (attempts.c.intent_id == intent.intent_id) & (attempts.c.outcome == transitions.name_of(Unknown("")))
        with self.engine.begin() as connection:
            times: int = connection.execute(select(func.count()).where(lost)).scalar_one()
            if times and times % PATIENCE == 0:  # replayed, it has as many chances again
                reason = f"sent {times} times and never there afterwards; see what is special about it"
                values = {"state": State.REJECTED, "reason": reason, "not_before": now + transitions.RETRY_REFUSED}
            moved = self._move(connection, intent, (State.UNKNOWN, State.PENDING), "absent", now, values)
            if moved:
                self._try(connection, intent, LOOK_UP, NotSent(reason), now)
        return moved

    def not_looked_up(self, intent: Intent, outcome: Outcome, now: datetime) -> None:
        """A look-up could not be made; the intent stays as it is."""
        with self.engine.begin() as connection:
            self._try(connection, intent, LOOK_UP, outcome, now)

    def hold(self, intent: Intent, now: datetime) -> bool:
        """Leave an intent of unknown outcome to a person, because the destination can be asked by nobody else."""
        with self.engine.begin() as connection:
            return self._move(connection, intent, (State.UNKNOWN,), "held", now, {"state": State.HELD})

    def withdraw(self, intent: Intent, now: datetime) -> bool:
        """Give up an intent that was never sent and is no longer wanted."""
        values = {"state": State.WITHDRAWN, "reason": "no longer wanted before it was sent"}
        with self.engine.begin() as connection:
            return self._move(connection, intent, (State.PENDING, State.REJECTED), "withdrawn", now, values)

    @contextmanager
    def exporting(self, now: datetime, sinks: Sinks = _NOBODY) -> Iterator[list[tuple[Intent, Ticket, list[Member]]]]:
        """The confirmed intents that the lake has not seen, with the issues under each that is an umbrella's.

        They count as seen when the block ends well.

        With that, and in the same transaction, it is noted that ``sinks`` are to be told of them.
        """
        query = (
            select(*INTENT, intents.c.payload)
            .where(intents.c.confirmed_at.is_not(None), intents.c.exported_at.is_(None))
            .order_by(intents.c.confirmed_at, intents.c.intent_id)
            .with_for_update()
        )
        with self.engine.begin() as connection:
            rows = connection.execute(query).mappings().all()
            confirmed = [(intent_of(row), Ticket.from_json(row["payload"])) for row in rows]
            members = self.members_of(connection, [intent.issue_id for intent, _ in confirmed])
            yield [(intent, ticket, members.get(intent.issue_id, [])) for intent, ticket in confirmed]
            self.announce(connection, confirmed, sinks, now)
            done = [row["intent_id"] for row in rows]
            for start in range(0, len(done), AT_ONCE):
                chosen = intents.c.intent_id.in_(done[start : start + AT_ONCE])
                connection.execute(update(intents).where(chosen).values(exported_at=now))

    # ---------- within a transaction

    def _insert(
        self,
        connection: Connection,
        destination: str,
        rows: Sequence[dict[str, Any]],
        now: datetime,
        grounds: Mapping[str, Grounds],
    ) -> None:
        ids = [row["intent_id"] for row in rows]
        recorded = self.among(connection, select(intents.c.intent_id), intents.c.intent_id, ids)
        creates = [row["issue_id"] for row in rows if row["action"] == Action.CREATE]
        elsewhere = self.gathered(connection, destination, creates)  # another run has put it under an umbrella
        wanted = [row for row in rows if row["action"] != Action.CREATE or row["issue_id"] not in elsewhere]
        new = {row["intent_id"]: row for row in wanted if row["intent_id"] not in recorded}
        if not new:
            return
        connection.execute(insert(intents), list(new.values()))
        earlier = [{"issue": row["issue_id"], "before": row["sequence"]} for row in new.values() if row["sequence"]]
        if earlier:
            same = (intents.c.destination == destination) & (intents.c.issue_id == bindparam("issue"))
            replaced = update(intents).where(same, intents.c.sequence == bindparam("before") - 1)
            connection.execute(replaced.values(is_head=False), earlier)
        told = [
            self.entry(
                now,
                "intent recorded",
                row["intent_id"],
                {"action": row["action"], "issue_id": row["issue_id"]},
                grounds.get(row["issue_id"], NO_GROUNDS),
            )
            for row in new.values()
        ]
        self.append(connection, told)

    def _move(
        self,
        connection: Connection,
        seen: Intent,
        states: tuple[State, ...],
        event: str,
        now: datetime,
        values: dict[str, Any],
    ) -> bool:
        moving = _moving(states, frozenset(values))
        moved = connection.execute(moving, {"id": seen.intent_id, "seen": seen.attempts, "now": now, **_new(values)})
        if moved.rowcount == 1:
            shown = {
                name: str(values[name])
                for name in ("action", "external_id", "reason", "not_before")
                if values.get(name)
            }
            self.note(connection, now, f"intent {event}", seen.intent_id, shown)
        return moved.rowcount == 1

    def _confirm_late(self, connection: Connection, intent: Intent, ticket: ExternalTicket, now: datetime) -> bool:
        # Our lease had run out, yet the write went through. Nobody else has sent it: then it is confirmed after all.
        # Otherwise there may be two tickets, and the look-up by marker, or a person, has to know of this one.
        settled = update(intents).where(
            intents.c.intent_id == intent.intent_id,
            intents.c.attempts == intent.attempts,
            intents.c.state.in_((State.UNKNOWN, State.PENDING)),
        )
        values = transitions.after(Confirmed(ticket), now, timedelta(), intent)
        late = connection.execute(settled.values(**values, updated_at=now)).rowcount == 1
        event = "confirmed late" if late else "confirmed after another run took over"
        shown = {"external_id": ticket.external_id, "url": ticket.url}
        self.note(connection, now, f"intent {event}", intent.intent_id, shown)
        return late

    def _try(self, connection: Connection, intent: Intent, kind: str, outcome: Outcome, now: datetime) -> None:
        row = {
            "intent_id": intent.intent_id,
            "destination": intent.destination,
            "kind": kind,
            "outcome": transitions.name_of(outcome),
            "reason": "" if isinstance(outcome, Confirmed) else outcome.reason,
            "hold_until": now + outcome.wait if isinstance(outcome, Deferred) else None,
            "at": now,
        }
        connection.execute(_TRY, row)


# What every ticket goes through is built once: building a statement takes as long as running it.
_TRY = insert(attempts)
_HEAD = (
    select(*INTENT)
    .where(intents.c.issue_id == bindparam("issue"), intents.c.destination == bindparam("destination"))
    .order_by(intents.c.sequence.desc())
    .limit(1)
)


@cache
def _moving(states: tuple[State, ...], columns: frozenset[str]) -> Update:
    """Move an intent that is in one of these states, and still as it was seen."""
    unchanged = (intents.c.attempts == bindparam("seen")) & intents.c.state.in_(states)
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in sorted(columns)}
    moving = update(intents).where(intents.c.intent_id == bindparam("id"), unchanged)
    return moving.values(**values, updated_at=bindparam("now"))


def _new(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values.items()}

"""The ledger: intents, attempts and audit log, by which each write happens exactly once outside.

The state machine of an intent, with its retry and reconcile steps. Every method is one transaction. A method that
moves an intent names the state, and the count of attempts, that its caller saw; if another run has moved it meanwhile,
the move does nothing and returns False.

    pending ──claim──> sending ──finish──> confirmed | rejected | unknown | pending (certainly not sent)
    sending ──expire──> unknown            the run that sent it died, or lost its lease
    unknown ──found──> confirmed           reconciled: looked up after the settle time, and there
    unknown ──absent──> pending            reconciled: looked up after the settle time, and not there
    unknown ──claim_again──> sending       reconciled by a retry: what fails then stays unknown, or is held if refused
    unknown ──hold──> held                 a dead letter: only a person can tell (dead_letters.py)
    pending, rejected ──withdraw──> withdrawn       no longer wanted, and never sent; a claim revives it

Attempts and audit rows are append-only, and the audit rows are chained by hashes. Payloads of any kind are stored as
their owner rendered them, with customers' text already masked; credentials never reach the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Update, bindparam, func, insert, select, update

from dagster_project.automation.ledger import transitions
from dagster_project.automation.ledger.access_tokens import AccessTokens
from dagster_project.automation.ledger.clock_repair import repair_future
from dagster_project.automation.ledger.continuity import Continuity
from dagster_project.automation.ledger.dead_letters import DeadLetters
from dagster_project.automation.ledger.duplicate_checks import DuplicateChecks
from dagster_project.automation.ledger.event_outbox import Announcement, EventOutbox, enqueue
from dagster_project.automation.ledger.head import HeadFile
from dagster_project.automation.ledger.intents import NOT_THERE, Grounds, Intent, Payload, State
from dagster_project.automation.ledger.ownership import Ownership
from dagster_project.automation.ledger.proposals import Proposals
from dagster_project.automation.ledger.pull_cursors import PullCursors
from dagster_project.automation.ledger.pushes import Pushes
from dagster_project.automation.ledger.queries import LOOK_UP, Queries
from dagster_project.automation.ledger.store import AT_ONCE, INTENT, NO_GROUNDS, Store, among, intent_of, take_turns
from dagster_project.automation.ledger.switch import Switch
from dagster_project.automation.ledger.tables import attempts, intents
from dagster_project.automation.ledger.turns import Turns
from dagster_project.automation.ledger.umbrellas import Member, Umbrellas, members_of, under_umbrella
from dagster_project.automation.outcomes import Confirmed, Deferred, NotSent, Outcome, Unknown, Written
from dagster_project.home import Home

LEASE = timedelta(minutes=2)
"""Lease of a send, far above any request timeout: after it, another run takes the sender for dead."""

LOSSES_BEFORE_REJECTED = 8
"""Losses of an intent before it becomes a dead letter: one that is lost every time is a poison message."""


@dataclass(frozen=True)
class Confirmation:
    """A confirmed intent with its payload, and the members of its subject if that is an umbrella."""

    intent: Intent
    payload: str
    members: Sequence[Member]


Announce = Callable[[Intent, str], Iterable[Announcement]]
"""Renders the events about a confirmed intent and its payload, for the sinks that are to get them."""


def _no_events(_intent: Intent, _payload: str) -> Iterable[Announcement]:
    return ()


class Ledger(Queries):
    """The ledger behind an SQLAlchemy URL; its tables are made, or upgraded, when that is due.

    Raises:
        ConfigurationError: the database cannot be reached, or was written by another version.
    """

    def __init__(self, url: str, *, now: datetime | None = None, actor: str = "push", head: Path | None = None) -> None:
        store = Store(url, now=now, actor=actor, head=HeadFile(head) if head else None)
        super().__init__(store)
        self.access_tokens = AccessTokens(store)
        self.continuity = Continuity(store)
        self.dead_letters = DeadLetters(store)
        self.duplicate_checks = DuplicateChecks(store)
        self.event_outbox = EventOutbox(store)
        self.pull_cursors = PullCursors(store)
        self.ownership = Ownership(store)
        self.proposals = Proposals(store)
        self.pushes = Pushes(store)
        self.switch = Switch(store)
        self.turns = Turns(store)
        self.umbrellas = Umbrellas(store)

    @classmethod
    def of(cls, home: Home, *, now: datetime | None = None, actor: str = "push") -> Ledger:
        """The ledger of a home, with the head of its log kept in the home; read-only where the home is."""
        return cls(home.ledger_url, now=now, actor=actor, head=home.ledger_head)

    def repair_future(self, now: datetime) -> list[str]:
        """Bring instants that a run with its clock ahead wrote back to now; returns what was done, one line each."""
        return repair_future(self._store, now)

    def record(
        self,
        wanted: Sequence[tuple[Intent | None, str, Payload]],
        destination: str,
        now: datetime,
        grounds: Mapping[str, Grounds] | None = None,
    ) -> None:
        """Make intents durable as pending: each after the head it follows, with its action and payload.

        An intent that another run has recorded meanwhile stays as that run wrote it. ``grounds`` are by subject.
        """
        with self._store.transaction() as connection:
            take_turns(connection)  # from here on nobody else records an intent, or fills an umbrella
            for start in range(0, len(wanted), AT_ONCE):
                rows = [transitions.pending(*one, destination, now) for one in wanted[start : start + AT_ONCE]]
                self._insert(connection, destination, rows, now, grounds or {})

    def claim(self, intent: Intent, action: str, payload: Payload, now: datetime) -> Intent | None:
        """Take the intent for sending, with what is wanted now; None if another run was faster."""
        content, lease = transitions.content_of(action, payload), _lease(intent, now)
        with self._store.transaction() as connection:
            if not self._move(connection, intent, NOT_THERE, "claimed", now, content | lease):
                return None
        content.pop("payload")
        return replace(intent, **content, **lease)

    def claim_again(self, intent: Intent, now: datetime) -> Intent | None:
        """Take an intent of unknown outcome for a retry of what was sent; None if another run was faster.

        As no two runs retry it at once, no late retry can undo a write that followed.
        """
        lease = _lease(intent, now)
        with self._store.transaction() as connection:
            if not self._move(connection, intent, (State.UNKNOWN,), "claimed again", now, lease):
                return None
        return replace(intent, **lease)

    def finish(
        self,
        intent: Intent,
        outcome: Outcome[Written],
        now: datetime,
        settle: timedelta,
        *,
        may_be_there: bool = False,
    ) -> bool:
        """Record the outcome of a claimed intent; ``may_be_there`` if it was sent before, with unknown outcome.

        False if another run has taken the intent over; this outcome is then ignored.
        """
        with self._store.transaction() as connection:
            self._try(connection, intent, intent.action, outcome, now)
            values = transitions.after(outcome, now, settle, intent, may_be_there=may_be_there)
            event = "held" if values["state"] is State.HELD else transitions.name_of(outcome)
            moved = self._move(connection, intent, (State.SENDING,), event, now, values)
            if not moved and isinstance(outcome, Confirmed):
                return self._confirm_late(connection, intent, outcome.written, now)
        return moved

    def expire(self, intent: Intent, now: datetime, settle: timedelta) -> bool:
        """Conclude that the run that was sending this is gone; whether it was sent is unknown."""
        if intent.lease_until is None or intent.lease_until > now:
            return False
        reason = "the run that sent it ended before it could record the outcome"
        values = {"state": State.UNKNOWN, "reason": reason, "not_before": intent.lease_until + settle}
        with self._store.transaction() as connection:
            tried = (intent.action, Unknown(reason))
            return self._move(connection, intent, (State.SENDING,), "expired", now, values, tried)

    def found(self, intent: Intent, written: Written, *, as_sent: bool, now: datetime) -> bool:
        """Reconcile an unknown outcome with a look-up that found the write: confirm it.

        ``as_sent`` is False if the target holds other content than was sent, so that an update is due.
        """
        values = transitions.after(Confirmed(written), now, timedelta(), intent)
        if not as_sent:
            values["payload_hash"] = ""  # differs from every payload, so the next comparison sends an update
        with self._store.transaction() as connection:
            states = (State.UNKNOWN, *NOT_THERE)
            return self._move(connection, intent, states, "found", now, values, (LOOK_UP, Confirmed(written)))

    def rebind(self, intent: Intent, written: Written, now: datetime) -> None:
        """Let the subject's writes go to another object there from now on: the one that was there before ours."""
        same = (intents.c.subject_id == intent.subject_id) & (intents.c.destination == intent.destination)
        bound = {"external_id": written.external_id, "url": written.url, "updated_at": now}
        with self._store.transaction() as connection:
            connection.execute(update(intents).where(same, intents.c.external_id == intent.external_id).values(**bound))
            # What it says is not known, so that an update is due.
            connection.execute(update(intents).where(same, intents.c.is_head).values(payload_hash=""))
            shown = {"external_id": written.external_id, "url": written.url, "was": intent.external_id}
            self._store.note(connection, now, "intent rebound", intent.intent_id, shown)

    def absent(self, intent: Intent, now: datetime) -> bool:
        """Reconcile an unknown outcome with a look-up that found nothing: the intent may be sent."""
        reason = "looked up and not there"
        values = {"state": State.PENDING, "reason": reason, "not_before": now}
        lost = (attempts.c.intent_id == intent.intent_id) & (attempts.c.outcome == transitions.name_of(Unknown("")))
        with self._store.transaction() as connection:
            times: int = connection.execute(select(func.count()).where(lost)).scalar_one()
            if times and times % LOSSES_BEFORE_REJECTED == 0:  # replayed, it has as many chances again
                reason = f"sent {times} times and never there afterwards; see what is special about it"
                values = {"state": State.REJECTED, "reason": reason, "not_before": now + transitions.RETRY_REJECTED}
            tried = (LOOK_UP, NotSent(reason))
            return self._move(connection, intent, (State.UNKNOWN, State.PENDING), "absent", now, values, tried)

    def not_looked_up(self, intent: Intent, outcome: Outcome[Written], now: datetime) -> None:
        """Record that a look-up failed; the intent stays as it is."""
        with self._store.transaction() as connection:
            self._try(connection, intent, LOOK_UP, outcome, now)
            shown = {"reason": outcome.reason} if not isinstance(outcome, Confirmed) else {}
            self._store.note(connection, now, "look-up failed", intent.intent_id, shown)

    def hold(self, intent: Intent, now: datetime) -> bool:
        """Make an unknown outcome a dead letter, because only a person can look at the destination."""
        with self._store.transaction() as connection:
            return self._move(connection, intent, (State.UNKNOWN,), "held", now, {"state": State.HELD})

    def withdraw(self, intent: Intent, now: datetime) -> bool:
        """Give up an intent that was never sent and is no longer wanted."""
        values = {"state": State.WITHDRAWN, "reason": "no longer wanted before it was sent"}
        with self._store.transaction() as connection:
            return self._move(connection, intent, (State.PENDING, State.REJECTED), "withdrawn", now, values)

    @contextmanager
    def exporting(self, kind: str, now: datetime, announce: Announce = _no_events) -> Iterator[list[Confirmation]]:
        """A block over the confirmed intents of a kind that were not exported yet.

        If it ends well, they count as exported and, in the same transaction, the outbox gets the events that
        ``announce`` renders about them.
        """
        query = (
            select(*INTENT, intents.c.payload)
            .where(intents.c.confirmed_at.is_not(None), intents.c.exported_at.is_(None), intents.c.kind == kind)
            .order_by(intents.c.confirmed_at, intents.c.intent_id)
            .with_for_update()
        )
        with self._store.transaction() as connection:
            confirmed = [(intent_of(row), str(row["payload"])) for row in connection.execute(query).mappings()]
            members = members_of(connection, [intent.subject_id for intent, _ in confirmed])
            yield [Confirmation(*one, members.get(one[0].subject_id, [])) for one in confirmed]
            for intent, payload in confirmed:
                enqueue(connection, intent, announce(intent, payload), now)
            done = [intent.intent_id for intent, _ in confirmed]
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
        recorded = among(connection, select(intents.c.intent_id), intents.c.intent_id, ids)
        opening = [row["subject_id"] for row in rows if row["sequence"] == 0]
        elsewhere = under_umbrella(connection, destination, opening)  # another run has put it under an umbrella
        wanted = [row for row in rows if row["sequence"] or row["subject_id"] not in elsewhere]
        new = {row["intent_id"]: row for row in wanted if row["intent_id"] not in recorded}
        if not new:
            return
        connection.execute(insert(intents), list(new.values()))
        earlier = [{"subject": row["subject_id"], "before": row["sequence"]} for row in new.values() if row["sequence"]]
        if earlier:
            same = (intents.c.destination == destination) & (intents.c.subject_id == bindparam("subject"))
            replaced = update(intents).where(same, intents.c.sequence == bindparam("before") - 1)
            connection.execute(replaced.values(is_head=False), earlier)
        entries = [
            self._store.entry(
                now,
                "intent recorded",
                row["intent_id"],
                {"action": row["action"], "subject_id": row["subject_id"]},
                grounds.get(row["subject_id"], NO_GROUNDS),
                row["payload"],
            )
            for row in new.values()
        ]
        self._store.append(connection, entries)

    def _move(
        self,
        connection: Connection,
        seen: Intent,
        states: tuple[State, ...],
        event: str,
        now: datetime,
        values: dict[str, Any],
        tried: tuple[str, Outcome[Written]] | None = None,
    ) -> bool:
        """Move an intent, if it still is as it was seen; ``tried`` is then recorded as an attempt of this move."""
        moving = _moving(states, frozenset(values))
        new = {f"new_{name}": value for name, value in values.items()}
        moved = connection.execute(moving, {"id": seen.intent_id, "seen": seen.attempts, "now": now, **new})
        if moved.rowcount == 1:
            if tried:
                self._try(connection, seen, *tried, now)
            shown = {
                name: str(values[name])
                for name in ("action", "external_id", "reason", "not_before")
                if values.get(name)
            }
            self._store.note(connection, now, f"intent {event}", seen.intent_id, shown, payload=values.get("payload"))
        return moved.rowcount == 1

    def _confirm_late(self, connection: Connection, intent: Intent, written: Written, now: datetime) -> bool:
        # Our lease had run out, yet the write went through. Nobody else has sent it: then it is confirmed after all.
        # Otherwise there may be two, and the look-up by marker, or a person, has to know of this one.
        settled = update(intents).where(
            intents.c.intent_id == intent.intent_id,
            intents.c.attempts == intent.attempts,
            intents.c.state.in_((State.UNKNOWN, State.PENDING)),
        )
        values = transitions.after(Confirmed(written), now, timedelta(), intent)
        late = connection.execute(settled.values(**values, updated_at=now)).rowcount == 1
        event = "confirmed late" if late else "confirmed after another run took over"
        shown = {"external_id": written.external_id, "url": written.url}
        self._store.note(connection, now, f"intent {event}", intent.intent_id, shown)
        return late

    def _try(
        self, connection: Connection, intent: Intent, action: str, outcome: Outcome[Written], now: datetime
    ) -> None:
        row = {
            "intent_id": intent.intent_id,
            "destination": intent.destination,
            "action": action,
            "outcome": transitions.name_of(outcome),
            "reason": "" if isinstance(outcome, Confirmed) else outcome.reason,
            "limited_until": now + outcome.wait if isinstance(outcome, Deferred) else None,
            "at": now,
        }
        (number,) = connection.execute(_TRY, row).inserted_primary_key or (None,)
        connection.info.setdefault("attempts", []).append({**row, "attempt_id": number})


def _lease(intent: Intent, now: datetime) -> dict[str, Any]:
    return {"attempts": intent.attempts + 1, "lease_until": now + LEASE, "state": State.SENDING}


# What every intent goes through is built once: building a statement takes as long as running it.
_TRY = insert(attempts)


@cache
def _moving(states: tuple[State, ...], columns: frozenset[str]) -> Update:
    """Move an intent that is in one of these states, and still as it was seen."""
    unchanged = (intents.c.attempts == bindparam("seen")) & intents.c.state.in_(states)
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in sorted(columns)}
    moving = update(intents).where(intents.c.intent_id == bindparam("id"), unchanged)
    return moving.values(**values, updated_at=bindparam("now"))

"""Read side of the ledger: heads, payloads, rate limits, counts and the audit log; one read transaction a method."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from sqlalchemy import RowMapping, bindparam, func, select

from dagster_project.automation.ledger.audit import Covered, Verification, verify
from dagster_project.automation.ledger.intents import Intent, State
from dagster_project.automation.ledger.store import AT_ONCE, INTENT, STILL_OPEN, Store, intent_of
from dagster_project.automation.ledger.tables import (
    attempts,
    audit,
    epochs,
    event_outbox,
    intents,
    pull_cursors,
    umbrella_members,
)
from dagster_project.clock import SKEW

LOOK_UP = "look_up"
"""The action of an attempt that only reads."""

# Most of what a push does is this, so it is made once: building a statement takes as long as running it.
_HEAD = (
    select(*INTENT)
    .where(intents.c.subject_id == bindparam("subject"), intents.c.destination == bindparam("destination"))
    .order_by(intents.c.sequence.desc())
    .limit(1)
)
_UNDER_WAY = (State.PENDING, State.SENDING, State.UNKNOWN)


class Queries:
    """The ledger as it can be read."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def born_at(self) -> datetime:
        """The instant at which this ledger was made; earlier subjects may have been written by another ledger."""
        return self._store.born_at

    def order_of(self, intent: Intent) -> str:
        """A text that sorts the writes about one subject at one destination, whichever ledger they are in."""
        return f"{self.eras()[-1][1]}-{intent.sequence:06d}"

    def eras(self) -> list[tuple[int, str]]:
        """The beginning of the ledger and of each epoch, as text, each with the last attempt before it."""
        query = select(epochs.c.after_attempt, epochs.c.began_at).order_by(epochs.c.epoch_id)
        with self._store.reading() as connection:
            rows = connection.execute(query).all()
        return [(0, f"{self.born_at:%Y%m%d%H%M%S%f}"), *((int(row[0]), f"{row[1]:%Y%m%d%H%M%S%f}") for row in rows)]

    # ---------- intents

    def head(self, subject_id: str, destination: str) -> Intent | None:
        """The newest intent of one subject."""
        named = {"subject": subject_id, "destination": destination}
        with self._store.reading() as connection:
            row = connection.execute(_HEAD, named).mappings().first()
        return intent_of(row) if row else None

    def open_heads(self, destination: str, also: Collection[str] = ()) -> dict[str, Intent]:
        """The newest intent of every subject that may still change there, and of those in ``also``, by subject.

        Confirmed final ones are left out; indexes make this independent of their number.
        """
        named, here = sorted(also), select(*INTENT).where(intents.c.destination == destination)
        queries = [here.where(intents.c.is_head, one) for one in STILL_OPEN]
        for start in range(0, len(named), AT_ONCE):
            # By number, so that the last of each is its head: asked for heads, SQLite would go through all there are.
            by_name = intents.c.subject_id.in_(named[start : start + AT_ONCE])
            queries.append(here.where(by_name).order_by(intents.c.sequence))
        with self._store.reading() as connection:
            rows = [row for query in queries for row in connection.execute(query).mappings()]
        return {row["subject_id"]: intent_of(row) for row in rows}

    def heads_by_marker(self, destination: str, markers: Collection[str]) -> dict[str, Intent]:
        """The newest intent under each of these markers; a marker that this ledger never sent is left out."""
        named, found = sorted(markers), {}
        for start in range(0, len(named), AT_ONCE):
            chosen = intents.c.marker.in_(named[start : start + AT_ONCE])
            query = select(intents.c.marker, *INTENT)
            query = query.where(intents.c.destination == destination, intents.c.is_head, chosen)
            with self._store.reading() as connection:
                for row in connection.execute(query).mappings():
                    found[str(row["marker"])] = intent_of(row)
        return found

    def delivered_before(self, intent: Intent) -> Intent | None:
        """The last confirmed intent before this one: the state that the target had when this one was written."""
        here = (intents.c.subject_id == intent.subject_id) & (intents.c.destination == intent.destination)
        before = (intents.c.sequence < intent.sequence) & (intents.c.state == State.CONFIRMED)
        query = select(*INTENT).where(here, before).order_by(intents.c.sequence.desc()).limit(1)
        with self._store.reading() as connection:
            row = connection.execute(query).mappings().first()
        return intent_of(row) if row else None

    def payload(self, intent: Intent) -> str:
        """The payload of an intent, as its ``as_json`` wrote it."""
        query = select(intents.c.payload).where(intents.c.intent_id == intent.intent_id)
        with self._store.reading() as connection:
            return str(connection.execute(query).scalar_one())

    def first_recorded_at(self, destination: str) -> datetime | None:
        """The instant of the first intent for the destination; None if there is none."""
        query = select(func.min(intents.c.created_at)).where(intents.c.destination == destination)
        with self._store.reading() as connection:
            first: datetime | None = connection.execute(query).scalar_one()
        return first

    # ---------- monitoring

    def rate_limited_until(self, destination: str, now: datetime) -> datetime | None:
        """The end of a rate limit that this or an earlier run met at the destination; None without one."""
        limits = (
            # An attempt by a clock ahead does not count: its wait would last until that time comes.
            select(func.max(attempts.c.limited_until)).where(
                attempts.c.destination == destination, attempts.c.at <= now + SKEW
            ),
            select(func.max(event_outbox.c.limited_until)).where(event_outbox.c.sink == destination),
            select(func.max(pull_cursors.c.limited_until)).where(pull_cursors.c.destination == destination),
        )
        with self._store.reading() as connection:
            met: list[datetime | None] = [connection.execute(query).scalar_one() for query in limits]
        return max((until for until in met if until and until > now), default=None)

    def count_by_state(self) -> dict[str, int]:
        """The number of intents in each state; states without any are left out."""
        with self._store.reading() as connection:
            rows = connection.execute(select(intents.c.state, func.count()).group_by(intents.c.state)).all()
        return {str(row[0]): int(row[1]) for row in rows}

    def tries_since(self, instant: datetime) -> dict[str, dict[str, int]]:
        """The number of tried writes since then, by destination and outcome; look-ups do not count."""
        query = (
            select(attempts.c.destination, attempts.c.outcome, func.count())
            .where(attempts.c.at >= instant, attempts.c.action != LOOK_UP)
            .group_by(attempts.c.destination, attempts.c.outcome)
        )
        found: dict[str, dict[str, int]] = {}
        with self._store.reading() as connection:
            for row in connection.execute(query):
                found.setdefault(str(row[0]), {})[str(row[1])] = int(row[2])
        return found

    def overdue(self, since: datetime) -> list[Intent]:
        """Intents recorded before an instant that are neither confirmed nor left to a person nor withdrawn."""
        query = select(*INTENT).where(intents.c.state.in_(_UNDER_WAY), intents.c.created_at < since)
        with self._store.reading() as connection:
            return [intent_of(row) for row in connection.execute(query).mappings()]

    # ---------- lake export

    def attempts_before(self, kind: str, attempt_id: int, limit: int) -> list[RowMapping]:
        """The attempts at payloads of a kind that are older than one, newest first, each with its subject."""
        query = (
            select(attempts, intents.c.subject_id)
            .join(intents, intents.c.intent_id == attempts.c.intent_id)
            .where(intents.c.kind == kind, attempts.c.attempt_id < attempt_id)
            .order_by(attempts.c.attempt_id.desc())
            .limit(limit)
        )
        with self._store.reading() as connection:
            return list(connection.execute(query).mappings())

    def heads(self, kind: str) -> list[RowMapping]:
        """The row of the newest intent of every subject of a kind, without payloads."""
        columns = [column for column in intents.c if column is not intents.c.payload]
        query = select(*columns).where(intents.c.is_head, intents.c.kind == kind).order_by(intents.c.intent_id)
        with self._store.reading() as connection:
            return list(connection.execute(query).mappings())

    # ---------- audit log

    def verify_audit(self, expected: str | None = None) -> Verification:
        """Walk along the whole audit log; ``expected`` is a hash that an earlier walk ended with."""
        covered, last = Covered(), self._store.head.read() if self._store.head else None
        with self._store.reading() as connection:
            end = self._store.end_of_log(connection)
            streaming = connection.execution_options(yield_per=1000)
            rows = streaming.execute(select(audit).order_by(audit.c.audit_id)).mappings()
            found = verify((dict(row) for row in rows), end, expected, covered)
            if found.broken_at is not None:
                return found
            payloads = streaming.execute(select(intents.c.intent_id, intents.c.payload))
            tried = streaming.execute(select(attempts).order_by(attempts.c.attempt_id)).mappings()
            problems = list(covered.differences(((str(row[0]), str(row[1])) for row in payloads), map(dict, tried)))
        if last and self._store.gap:
            problems.append(
                f"the head kept outside the database is row {last.audit_id} with the hash {last.hash}, which the log"
                " does not have: the database was put back, cut off or exchanged"
            )
        return replace(found, problems=tuple(problems))

    def history_of(self, subject_id: str) -> list[RowMapping]:
        """The audit rows of one subject, at all destinations, and of the umbrella it is under, oldest first."""
        umbrellas = select(umbrella_members.c.umbrella_id).where(umbrella_members.c.subject_id == subject_id)
        query = (
            select(audit, intents.c.destination)
            .join(intents, audit.c.intent_id == intents.c.intent_id)
            .where((intents.c.subject_id == subject_id) | intents.c.subject_id.in_(umbrellas))
            .order_by(audit.c.audit_id)
        )
        with self._store.reading() as connection:
            return list(connection.execute(query).mappings())

    def people(self) -> list[str]:
        """Names of those in the audit log who are not this program."""
        with self._store.reading() as connection:
            return sorted(connection.execute(select(audit.c.actor).where(audit.c.actor != "push").distinct()).scalars())

    def subjects_beginning(self, prefix: str) -> list[str]:
        """The subjects, also those under umbrellas, whose id begins with this text, in either case."""
        found: set[str] = set()
        with self._store.reading() as connection:
            for column in (intents.c.subject_id, umbrella_members.c.subject_id):
                begins = column.istartswith(prefix, autoescape=True)
                found |= set(connection.execute(select(column).where(begins).distinct()).scalars())
        return sorted(found)

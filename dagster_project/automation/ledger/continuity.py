"""Continuity of the ledger: notices that it was restored, replaced or lost, and recovers what others remember.

A ledger that is behind (put back from a backup, made anew, deleted) would open every ticket again. Three memories know
better: the head file, the lake's export of the ledger, and the destinations, by the marker of each ticket. When the
first two show a gap, an *epoch* begins: what the lake has of each ticket is adopted, in one transaction and before
anything is sent. In an epoch a destination counts as reconciled once it was searched for the tickets that may be there
(``tickets/search.py``), or once a person has accepted it. The numbers of attempts and the order of writes carry the
epoch, as a ledger that was put back gives the same numbers again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from dagster_project.automation.ledger import transitions
from dagster_project.automation.ledger.head import Gap
from dagster_project.automation.ledger.intents import Payload, State
from dagster_project.automation.ledger.store import PLACE, Store, take_turns
from dagster_project.automation.ledger.tables import attempts, audit, epochs, intents, umbrella_members

_RECONCILED = "reconciled:"
"""Beginning of the names in ``meta`` that hold a destination's last epoch that was searched or accepted."""


@dataclass(frozen=True)
class Epoch:
    """A stretch of the ledger's life that began with a gap in its memory.

    ``trusted_until`` is the last instant that the ledger itself remembered by then; None if it remembered nothing.
    """

    epoch_id: int
    began_at: datetime
    trusted_until: datetime | None
    after_attempt: int
    reason: str


@dataclass(frozen=True)
class Remembered:
    """One ticket that another memory has and this ledger lacks, with the payload and action to record for it."""

    destination: str
    payload: Payload
    action: str
    external_id: str
    url: str
    created_at: datetime
    confirmed_at: datetime


@dataclass(frozen=True)
class RememberedMember:
    """One subject that another memory has under an umbrella."""

    destination: str
    subject_id: str
    umbrella_id: str
    joined_at: datetime


class Continuity:
    """Continuity of one ledger."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def gap(self) -> Gap | None:
        """How this database differs from the one that the head file was written for; None if it is that one."""
        return self._store.gap

    @property
    def has_head(self) -> bool:
        """True if a head file was there when the ledger was opened, or its memory was checked since."""
        return self._store.head_was_there

    def epoch(self) -> Epoch | None:
        """The present epoch; None in a ledger that never had a gap."""
        query = select(epochs).order_by(epochs.c.epoch_id.desc()).limit(1)
        with self._store.reading() as connection:
            row = connection.execute(query).mappings().first()
        return Epoch(**row) if row else None

    def noted_until(self) -> datetime | None:
        """The instant of the last row of the audit log."""
        with self._store.reading() as connection:
            return _noted_until(connection)

    def keep_head(self) -> None:
        """Begin to keep the head file of a ledger that was found to lack nothing."""
        with self._store.reading() as connection:
            end = self._store.end_of_log(connection)
        self._store.follow(end)

    def recover(
        self,
        reason: str,
        now: datetime,
        tickets: Sequence[Remembered],
        members: Sequence[RememberedMember],
    ) -> int:
        """Begin an epoch, adopt what others remember, and let the head file follow; returns how many were adopted."""
        kept = self._store.head.read() if self._store.head else None
        with self._store.transaction() as connection:
            take_turns(connection)
            number: int = connection.execute(select(func.coalesce(func.max(attempts.c.attempt_id), 0))).scalar_one()
            begun = {
                "began_at": now,
                "trusted_until": _noted_until(connection),
                "after_attempt": number,
                "reason": reason,
            }
            connection.execute(insert(epochs).values(**begun))
            shown = {"reason": reason} | ({"head": kept.audit_id, "hash": kept.hash} if kept else {})
            self._store.note(connection, now, "memory gap", None, shown)
            adopted = sum(self._adopt(connection, one, now) for one in tickets)
            for member in members:
                self._join(connection, member)
            for name, place in (kept.places if kept else {}).items():
                self._store.remember(connection, PLACE + name, place)
            end = self._store.end_of_log(connection)
        self._store.follow(end)
        return adopted

    def _adopt(self, connection: Connection, known: Remembered, now: datetime) -> bool:
        payload, destination = known.payload, known.destination
        here = (intents.c.subject_id == payload.subject_id) & (intents.c.destination == destination)
        head = connection.execute(select(intents.c.state, intents.c.external_id).where(here, intents.c.is_head)).first()
        written = {"state": State.CONFIRMED, "external_id": known.external_id, "url": known.url, "updated_at": now}
        written |= {"confirmed_at": known.confirmed_at, "exported_at": now, "reason": "", "lease_until": None}
        if head is not None and head.external_id:
            return False
        if head is None:
            row = transitions.pending(None, known.action, payload, destination, known.created_at) | written
            row["payload_hash"] = ""  # differs from every payload, so the next comparison sends an update
            connection.execute(insert(intents).values(**row))
        else:
            content = transitions.content_of(known.action, payload) | {"payload_hash": ""}
            connection.execute(update(intents).where(here, intents.c.is_head).values(**content, **written))
        intent_id: str = connection.execute(select(intents.c.intent_id).where(here, intents.c.is_head)).scalar_one()
        shown = {"action": known.action, "subject_id": payload.subject_id, "external_id": known.external_id}
        self._store.note(connection, now, "intent adopted", intent_id, shown, payload=payload.as_json())
        return True

    def _join(self, connection: Connection, member: RememberedMember) -> None:
        own = (umbrella_members.c.destination == member.destination) & (
            umbrella_members.c.subject_id == member.subject_id
        )
        alone = (intents.c.destination == member.destination) & (intents.c.subject_id == member.subject_id)
        taken = connection.execute(select(umbrella_members.c.subject_id).where(own)).first()
        if taken is None and connection.execute(select(intents.c.intent_id).where(alone)).first() is None:
            connection.execute(insert(umbrella_members).values(**vars(member)))

    # ---------- reconciliation of each destination

    def unreconciled(self, destination: str) -> Epoch | None:
        """The present epoch if the destination was neither searched nor accepted in it."""
        epoch = self.epoch()
        if epoch is None:
            return None
        return None if self._store.remembered(_RECONCILED + destination) == str(epoch.epoch_id) else epoch

    def reconciled(self, destination: str, epoch: Epoch, now: datetime) -> None:
        """Record that the destination was searched for what the gap may hide."""
        self._mark(destination, epoch, "destination reconciled", now)

    def accept(self, destination: str, place: str, now: datetime) -> None:
        """Record a person's word: this name and place are right, and nothing that the gap hides is to be waited for."""
        if place:
            self.set_place(destination, place, now)
        if epoch := self.epoch():
            self._mark(destination, epoch, "destination accepted", now)

    def _mark(self, destination: str, epoch: Epoch, event: str, now: datetime) -> None:
        with self._store.transaction() as connection:
            self._store.remember(connection, _RECONCILED + destination, str(epoch.epoch_id))
            self._store.note(connection, now, event, None, {"destination": destination, "epoch": epoch.epoch_id})

    # ---------- places of the destinations

    def places(self) -> Mapping[str, str]:
        """The place of each destination that was pushed to, by its name: also those that only the head file knows."""
        kept = self._store.head.read() if self._store.head else None
        return {**(kept.places if kept else {}), **self._store.places()}

    def set_place(self, destination: str, place: str, now: datetime) -> None:
        """Record where a destination is."""
        with self._store.transaction() as connection:
            self._store.remember(connection, PLACE + destination, place)
            self._store.note(connection, now, "destination placed", None, {"destination": destination, "place": place})


def _noted_until(connection: Connection) -> datetime | None:
    last: datetime | None = connection.execute(select(audit.c.at).order_by(audit.c.audit_id.desc()).limit(1)).scalar()
    return last

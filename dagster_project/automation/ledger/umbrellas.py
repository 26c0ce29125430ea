"""Umbrellas: subjects that share the intents of another one, and the new subjects an owner got lately (throttling)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, exists, func, insert, select

from dagster_project.automation.ledger.intents import State
from dagster_project.automation.ledger.store import AT_ONCE, STILL_OPEN, Store, among, take_turns
from dagster_project.automation.ledger.tables import intents, umbrella_members


@dataclass(frozen=True)
class Member:
    """A subject under an umbrella, since when, and when a write with it was first confirmed (None: none was)."""

    subject_id: str
    joined_at: datetime
    first_confirmed_at: datetime | None


class Umbrellas:
    """Umbrellas of one ledger, and their members."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def opened_since(self, destination: str, since: datetime) -> dict[str, int]:
        """The number of subjects opened since an instant, by owner; umbrellas themselves do not count."""
        query = (
            select(intents.c.owner, func.count())
            .where(intents.c.destination == destination, intents.c.created_at > since)
            .where(intents.c.sequence == 0, intents.c.state != State.WITHDRAWN, ~_is_umbrella())
            .group_by(intents.c.owner)
        )
        with self._store.reading() as connection:
            return {row[0]: int(row[1]) for row in connection.execute(query).all()}

    def members(self, destination: str) -> dict[str, str]:
        """Every subject under an umbrella that is not over, and that umbrella."""
        member = umbrella_members.c
        here = intents.c.destination == destination
        heads = select(intents.c.subject_id).where(here, intents.c.is_head, _is_umbrella())
        recorded = exists().where(here, intents.c.subject_id == member.umbrella_id)
        query = select(member.subject_id, member.umbrella_id).where(member.destination == destination)
        with self._store.reading() as connection:
            still_open = {str(row[0]) for one in STILL_OPEN for row in connection.execute(heads.where(one)).all()}
            found = query.where(member.umbrella_id.in_(sorted(still_open)) | ~recorded)
            return {row[0]: row[1] for row in connection.execute(found).all()}

    def members_of(self, umbrella_ids: Collection[str]) -> dict[str, list[Member]]:
        """The members of each of these umbrellas, over or not; a subject that is no umbrella is left out."""
        with self._store.reading() as connection:
            return members_of(connection, umbrella_ids)

    def begun_since(self, destination: str, since: datetime) -> dict[str, str]:
        """The umbrella, by owner, that began after an instant and is not over."""
        still_open = sorted(set(self.members(destination).values()))
        query = (
            select(intents.c.owner, intents.c.subject_id)
            .where(intents.c.destination == destination, intents.c.subject_id.in_(still_open))
            .where(intents.c.sequence == 0, intents.c.created_at > since)
            .order_by(intents.c.created_at, intents.c.subject_id)
        )
        with self._store.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query).all()}

    def add(self, destination: str, umbrella_id: str, owner: str, subject_ids: Sequence[str], now: datetime) -> None:
        """Put subjects under an umbrella, but for those that another run has put under one, or recorded alone."""
        with self._store.transaction() as connection:
            take_turns(connection)
            elsewhere = under_umbrella(connection, destination, subject_ids)
            recorded = select(intents.c.subject_id).where(intents.c.destination == destination)
            elsewhere |= among(connection, recorded, intents.c.subject_id, subject_ids)
            new = [subject_id for subject_id in dict.fromkeys(subject_ids) if subject_id not in elsewhere]
            if not new:
                return
            same = {"destination": destination, "umbrella_id": umbrella_id, "joined_at": now}
            connection.execute(insert(umbrella_members), [{**same, "subject_id": subject_id} for subject_id in new])
            shown = {"umbrella": umbrella_id, "owner": owner, "destination": destination}
            entries = [
                self._store.entry(now, "put under an umbrella", None, {**shown, "subject_id": subject_id})
                for subject_id in new
            ]
            self._store.append(connection, entries)


def members_of(connection: Connection, umbrella_ids: Collection[str]) -> dict[str, list[Member]]:
    """As ``Umbrellas.members_of``, within a transaction."""
    member, found = umbrella_members.c, dict[str, list[Member]]()
    written = (intents.c.destination == member.destination) & (intents.c.subject_id == member.umbrella_id)
    first = select(func.min(intents.c.confirmed_at)).where(written, intents.c.confirmed_at >= member.joined_at)
    columns = (member.umbrella_id, member.subject_id, member.joined_at, first.scalar_subquery())
    named = sorted(umbrella_ids)
    for start in range(0, len(named), AT_ONCE):
        chosen = member.umbrella_id.in_(named[start : start + AT_ONCE])
        for row in connection.execute(select(*columns).where(chosen).order_by(member.subject_id)):
            found.setdefault(str(row[0]), []).append(Member(*row[1:]))
    return found


def under_umbrella(connection: Connection, destination: str, subject_ids: Sequence[str]) -> set[str]:
    """Those of these subjects that are under an umbrella, within a transaction that has its turn."""
    members = select(umbrella_members.c.subject_id).where(umbrella_members.c.destination == destination)
    return among(connection, members, umbrella_members.c.subject_id, subject_ids)


def _is_umbrella() -> ColumnElement[bool]:
    member = umbrella_members.c
    return exists().where(member.umbrella_id == intents.c.subject_id, member.destination == intents.c.destination)

"""The ledger's memory of storms: how many tickets an owner got lately, and which issues share an umbrella."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, exists, func, insert, select

from dagster_project.automation.ledger.intents import Action, State
from dagster_project.automation.ledger.store import AT_ONCE, NO_GROUNDS, STILL_OPEN, Store
from dagster_project.automation.ledger.tables import intents, umbrella_members

_NOT_AN_UMBRELLA = ~intents.c.issue_id.like("UMB-%")


@dataclass(frozen=True)
class Member:
    """An issue under an umbrella, since when, and when a write with it was first confirmed (None: none was)."""

    issue_id: str
    joined_at: datetime
    ticketed_at: datetime | None


class UmbrellaBook(Store):
    """Umbrellas and their issues."""

    def new_tickets(self, destination: str, since: datetime) -> dict[str, int]:
        """How many tickets were asked for since an instant, by owner; umbrellas themselves do not count."""
        query = (
            select(intents.c.owner, func.count())
            .where(intents.c.destination == destination, intents.c.created_at > since)
            .where(intents.c.action == Action.CREATE, intents.c.state != State.WITHDRAWN, _NOT_AN_UMBRELLA)
            .group_by(intents.c.owner)
        )
        with self.reader.connect() as connection:
            return {row[0]: int(row[1]) for row in connection.execute(query).all()}

    def umbrella_members(self, destination: str) -> dict[str, str]:
        """Every issue under an umbrella that is not over, and that umbrella."""
        members = umbrella_members.c
        here = intents.c.destination == destination
        heads = select(intents.c.issue_id).where(here, intents.c.is_head, intents.c.issue_id.like("UMB-%"))
        asked_for = exists().where(here, intents.c.issue_id == members.umbrella_id)
        query = select(members.issue_id, members.umbrella_id).where(members.destination == destination)
        with self.reader.connect() as connection:
            still_open = {str(row[0]) for one in STILL_OPEN for row in connection.execute(heads.where(one)).all()}
            found = query.where(members.umbrella_id.in_(sorted(still_open)) | ~asked_for)
            return {row[0]: row[1] for row in connection.execute(found).all()}

    def members_of(self, connection: Connection, umbrella_ids: Collection[str]) -> dict[str, list[Member]]:
        """The issues under each of these umbrellas, over or not; what is no umbrella is left out."""
        member, found = umbrella_members.c, dict[str, list[Member]]()
        written = (intents.c.destination == member.destination) & (intents.c.issue_id == member.umbrella_id)
        first = select(func.min(intents.c.confirmed_at)).where(written, intents.c.confirmed_at >= member.joined_at)
        columns = (member.umbrella_id, member.issue_id, member.joined_at, first.scalar_subquery())
        named = sorted(umbrella_ids)
        for start in range(0, len(named), AT_ONCE):
            chosen = member.umbrella_id.in_(named[start : start + AT_ONCE])
            for row in connection.execute(select(*columns).where(chosen).order_by(member.issue_id)):
                found.setdefault(str(row[0]), []).append(Member(*row[1:]))
        return found

    def storms(self, destination: str, since: datetime) -> dict[str, str]:
        """The umbrella, by owner, that began after an instant and is not over."""
        still_open = sorted(set(self.umbrella_members(destination).values()))
        query = (
            select(intents.c.owner, intents.c.issue_id)
            .where(intents.c.destination == destination, intents.c.issue_id.in_(still_open))
            .where(intents.c.action == Action.CREATE, intents.c.created_at > since)
            .order_by(intents.c.created_at, intents.c.issue_id)
        )
        with self.reader.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query).all()}

    def gather(self, destination: str, umbrella_id: str, owner: str, issue_ids: Sequence[str], now: datetime) -> None:
        """Put issues under an umbrella, but for those that another run has put under one, or asked a ticket for."""
        with self.engine.begin() as connection:
            self.take_turns(connection)
            elsewhere = self.gathered(connection, destination, issue_ids)
            asked = select(intents.c.issue_id).where(intents.c.destination == destination)
            elsewhere |= self.among(connection, asked, intents.c.issue_id, issue_ids)
            new = [issue_id for issue_id in dict.fromkeys(issue_ids) if issue_id not in elsewhere]
            if not new:
                return
            same = {"destination": destination, "umbrella_id": umbrella_id, "joined_at": now}
            connection.execute(insert(umbrella_members), [{**same, "issue_id": issue_id} for issue_id in new])
            told = {"umbrella": umbrella_id, "owner": owner, "destination": destination}
            self.append(
                connection,
                [
                    self.entry(now, "issue gathered", None, {**told, "issue_id": issue_id}, NO_GROUNDS)
                    for issue_id in new
                ],
            )

    def gathered(self, connection: Connection, destination: str, issue_ids: Sequence[str]) -> set[str]:
        """Which of these issues are under an umbrella, within a transaction that has its turn."""
        members = select(umbrella_members.c.issue_id).where(umbrella_members.c.destination == destination)
        return self.among(connection, members, umbrella_members.c.issue_id, issue_ids)

"""The ledger's memory of storms: how many tickets an owner got lately, and which issues share an umbrella."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from dagster_project.automation.intents import Action, State
from dagster_project.automation.schema import intents, umbrella_members
from dagster_project.automation.store import Store

_NOT_AN_UMBRELLA = ~intents.c.issue_id.like("UMB-%")


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
        over = (
            select(intents.c.issue_id)
            .where(intents.c.destination == destination, intents.c.is_head, intents.c.issue_id.like("UMB-%"))
            .where(intents.c.action == Action.RESOLVE, intents.c.state == State.CONFIRMED)
        )
        members = umbrella_members.c
        query = select(members.issue_id, members.umbrella_id).where(
            members.destination == destination, members.umbrella_id.not_in(over)
        )
        with self.reader.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query).all()}

    def storms(self, destination: str, since: datetime) -> dict[str, str]:
        """The umbrella, by owner, that began after an instant and is not over."""
        query = (
            select(intents.c.owner, intents.c.issue_id)
            .where(intents.c.destination == destination, intents.c.issue_id.like("UMB-%"))
            .where(intents.c.action == Action.CREATE, intents.c.created_at > since)
            .order_by(intents.c.created_at, intents.c.issue_id)
        )
        still_open = set(self.umbrella_members(destination).values())
        with self.reader.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query).all() if row[1] in still_open}

    def gather(self, destination: str, umbrella_id: str, owner: str, issue_ids: Sequence[str], now: datetime) -> None:
        """Put issues under an umbrella, but for those that another run has put under one, or asked a ticket for."""
        here = intents.c.destination == destination
        with self.engine.begin() as connection:
            self.take_turns(connection)
            for issue_id in issue_ids:
                has_ticket = select(func.count()).where(here, intents.c.issue_id == issue_id)
                if self.is_gathered(connection, destination, issue_id) or connection.execute(has_ticket).scalar_one():
                    continue
                row = {"destination": destination, "issue_id": issue_id, "umbrella_id": umbrella_id, "joined_at": now}
                connection.execute(insert(umbrella_members), row)
                detail = {"umbrella": umbrella_id, "owner": owner, "issue_id": issue_id, "destination": destination}
                self.note(connection, now, "issue gathered", None, detail)

    def is_gathered(self, connection: Connection, destination: str, issue_id: str) -> bool:
        """Whether an issue is under an umbrella, within a transaction that has its turn."""
        member = (umbrella_members.c.destination == destination) & (umbrella_members.c.issue_id == issue_id)
        return bool(connection.execute(select(func.count()).where(member)).scalar_one())

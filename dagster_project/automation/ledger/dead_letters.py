"""Dead letters: what waits for a person, whose it is, and how it goes on.

A refused intent names what to fix; once that is done it is replayed at once instead of tomorrow. A held one was sent to
a tool that nobody but a person can ask: the person says whether it arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from dagster_project.automation.ledger.intents import DEAD_LETTERS, Intent, State
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.store import INTENT, intent_of
from dagster_project.automation.ledger.tables import intents
from dagster_project.automation.ticket import Ticket
from dagster_project.errors import ConfigurationError

SHORT = 8
"""How many characters of an intent's id people have to type."""


@dataclass(frozen=True)
class DeadLetter:
    """One intent that waits for a person."""

    intent: Intent
    ticket: Ticket

    @property
    def short_id(self) -> str:
        """Enough of its id to name it by."""
        return self.intent.intent_id[:SHORT]

    def as_dict(self) -> dict[str, object]:
        """For people and programs."""
        return {
            "intent": self.short_id,
            "state": self.intent.state.value,
            "destination": self.intent.destination,
            "issue_id": self.intent.issue_id,
            "action": self.intent.action.value,
            "owner": self.intent.owner,
            "since": self.intent.created_at.isoformat(),
            "attempts": self.intent.attempts,
            "title": self.ticket.title,
            "reason": self.intent.reason,
        }


def dead_letters(ledger: Ledger) -> list[DeadLetter]:
    """Everything that waits for a person, oldest first."""
    query = (
        select(*INTENT)
        .where(intents.c.state.in_(DEAD_LETTERS), intents.c.is_head)
        .order_by(intents.c.created_at, intents.c.intent_id)
    )
    with ledger.reader.connect() as connection:
        found = [intent_of(row) for row in connection.execute(query).mappings()]
    return [DeadLetter(intent, ledger.ticket(intent)) for intent in found]


def replay(ledger: Ledger, chosen: Sequence[DeadLetter], now: datetime) -> int:
    """Let refused intents be sent by the next run; how many that were."""
    anew: dict[str, object] = {"state": State.PENDING, "not_before": now}
    return sum(_move(ledger, letter, State.REJECTED, "replayed", now, anew) for letter in chosen)


def settle(ledger: Ledger, letter: DeadLetter, arrived: tuple[str, str] | None, now: datetime) -> bool:
    """Say of a held intent whether it arrived: as (id, url) there, or None when it did not and is to be sent again."""
    if arrived is None:
        reason = "a person looked: it is not there"
        values: dict[str, object] = {"state": State.PENDING, "reason": reason, "not_before": now}
    else:
        external_id, url = arrived
        values = {"state": State.CONFIRMED, "external_id": external_id, "url": url, "confirmed_at": now, "reason": ""}
    return _move(ledger, letter, State.HELD, "settled by a person", now, values)


def find(ledger: Ledger, short_id: str) -> DeadLetter:
    """The dead letter whose id begins like this.

    Raises:
        ConfigurationError: there is none, or more than one.
    """
    found = [letter for letter in dead_letters(ledger) if letter.intent.intent_id.startswith(short_id)]
    if len(found) != 1:
        wrong = "no dead letter" if not found else "more than one dead letter"
        raise ConfigurationError(
            f"{wrong} has an id that begins with {short_id}; `feedback-control outbox list` has them"
        )
    return found[0]


def stale(ledger: Ledger, now: datetime, after: timedelta) -> list[Intent]:
    """Intents that should have been delivered long ago, and are not: pending, on their way, or of unknown outcome."""
    waiting = (State.PENDING, State.SENDING, State.UNKNOWN)
    query = select(*INTENT).where(intents.c.state.in_(waiting), intents.c.created_at < now - after)
    with ledger.reader.connect() as connection:
        return [intent_of(row) for row in connection.execute(query).mappings()]


def _move(
    ledger: Ledger, letter: DeadLetter, state: State, event: str, now: datetime, values: dict[str, object]
) -> bool:
    unchanged = (intents.c.intent_id == letter.intent.intent_id) & (intents.c.state == state)
    with ledger.engine.begin() as connection:
        moved = connection.execute(update(intents).where(unchanged).values(**values, updated_at=now)).rowcount == 1
        if moved:
            detail = {"was": letter.intent.state.value, "state": str(values["state"]), "reason": letter.intent.reason}
            ledger.note(connection, now, f"intent {event}", letter.intent.intent_id, detail)
    return moved

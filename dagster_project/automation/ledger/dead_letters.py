"""Dead letters (dead-letter queue): rejected or unverifiable writes. List them with owner and reason, replay or settle.

A rejected intent names what to fix; after the fix it is replayed at once instead of retried tomorrow. A held one was
sent to a tool that has no look-up, or that refused the retry: a person looks there and settles whether it arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from dagster_project.automation.ledger.intents import DEAD_LETTERS, Intent, State
from dagster_project.automation.ledger.store import INTENT, Store, intent_of
from dagster_project.automation.ledger.tables import intents
from dagster_project.errors import ConfigurationError

SHORT = 8
"""Characters of an intent's id that people have to type."""


@dataclass(frozen=True)
class DeadLetter:
    """One intent that waits for a person."""

    intent: Intent

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
            "kind": self.intent.kind,
            "subject_id": self.intent.subject_id,
            "action": self.intent.action,
            "owner": self.intent.owner,
            "since": self.intent.created_at.isoformat(),
            "attempts": self.intent.attempts,
            "title": self.intent.title,
            "reason": self.intent.reason,
        }


class DeadLetters:
    """Dead letters of one ledger."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> list[DeadLetter]:
        """Every dead letter, oldest first."""
        query = (
            select(*INTENT)
            .where(intents.c.state.in_(DEAD_LETTERS), intents.c.is_head)
            .order_by(intents.c.created_at, intents.c.intent_id)
        )
        with self._store.reading() as connection:
            return [DeadLetter(intent_of(row)) for row in connection.execute(query).mappings()]

    def find(self, short_id: str) -> DeadLetter:
        """The dead letter whose id begins like this.

        Raises:
            ConfigurationError: there is none, or more than one.
        """
        found = [letter for letter in self.all() if letter.intent.intent_id.startswith(short_id)]
        if len(found) != 1:
            wrong = "no dead letter" if not found else "more than one dead letter"
            raise ConfigurationError(
                f"{wrong} has an id that begins with {short_id}; `feedback-control dead-letters list` has them"
            )
        return found[0]

    def replay(self, chosen: Sequence[DeadLetter], now: datetime) -> int:
        """Let rejected intents be sent by the next run; returns their number."""
        anew: dict[str, object] = {"state": State.PENDING, "not_before": now}
        return sum(self._move(letter, State.REJECTED, "replayed", now, anew) for letter in chosen)

    def settle(self, letter: DeadLetter, arrived: tuple[str, str] | None, now: datetime) -> bool:
        """Record whether a held intent arrived: as (id, url) there, or None if it did not and is to be sent again."""
        if arrived is None:
            reason = "a person looked: it is not there"
            values: dict[str, object] = {"state": State.PENDING, "reason": reason, "not_before": now}
        else:
            external_id, url = arrived
            values = {"state": State.CONFIRMED, "external_id": external_id, "url": url, "confirmed_at": now}
            values["reason"] = ""
        return self._move(letter, State.HELD, "settled by a person", now, values)

    def _move(self, letter: DeadLetter, state: State, event: str, now: datetime, values: dict[str, object]) -> bool:
        unchanged = (intents.c.intent_id == letter.intent.intent_id) & (intents.c.state == state)
        with self._store.transaction() as connection:
            moved = connection.execute(update(intents).where(unchanged).values(**values, updated_at=now)).rowcount == 1
            if moved:
                was = {"was": letter.intent.state.value, "reason": letter.intent.reason}
                shown = {**was, "state": str(values["state"])}
                self._store.note(connection, now, f"intent {event}", letter.intent.intent_id, shown)
        return moved

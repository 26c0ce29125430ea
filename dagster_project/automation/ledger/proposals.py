"""Proposals of one ledger: changes that wait for an approval or for their turn, and what became of each.

    shadow                               recorded only: what would have been done
    proposed ──> approved ──> applying ──> in force ──> undoing ──> undone
       │            │            │            │            └─────> failed
       └────────────┴──> refused, expired, void            └──────> failed (somebody changed the place)

A move names the state and the number of moves that its caller saw; if another run has moved it meanwhile, it does
nothing (compare-and-swap). What a proposal asks for, and who may approve it, is the caller's business. ``begin`` is the
one door to an act: within one transaction it sees that nothing is stopped and that no other proposal holds the place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from dagster_project.automation.ledger.intents import Grounds, Intent, State
from dagster_project.automation.ledger.store import AT_ONCE, NO_GROUNDS, Store, take_turns
from dagster_project.automation.ledger.switch import stopped_in
from dagster_project.automation.ledger.tables import intents, proposal_events, proposals

US = "feedback-control"
"""Name of this system as an actor."""


class ProposalState(StrEnum):
    """State of a proposal."""

    SHADOW = "shadow"
    PROPOSED = "proposed"
    APPROVED = "approved"
    APPLYING = "applying"
    IN_FORCE = "in_force"
    UNDOING = "undoing"
    UNDONE = "undone"
    REFUSED = "refused"
    EXPIRED = "expired"
    VOID = "void"
    FAILED = "failed"


WAITING = (ProposalState.PROPOSED, ProposalState.APPROVED)
"""Not acted upon yet."""

HOLDING = (ProposalState.APPLYING, ProposalState.IN_FORCE, ProposalState.UNDOING)
"""The place is, or may be, as the proposal wants it: no other one may begin there."""

_NOT_MADE = (State.PENDING, State.REJECTED, State.UNKNOWN)
"""States of an intent that ends with its proposal; of an unknown one a reading has shown that it is not there."""

LIVE = (*WAITING, *HOLDING)
"""Not over."""


@dataclass(frozen=True)
class Proposal:
    """One proposal. ``content`` is JSON whose SHA-256 is ``proposal_id``; ``applied`` is what the act left, JSON."""

    proposal_id: str
    kind: str
    subject_id: str
    place: str
    state: ProposalState
    content: str
    proposer: str
    applied: str | None
    reason: str
    moves: int
    created_at: datetime
    expires_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class ProposalEvent:
    """One thing that happened to a proposal: a move, a vote, a reminder."""

    event_id: int
    proposal_id: str
    event: str
    state: str
    actor: str
    channel: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class Happening:
    """Description of an event that is to be recorded.

    ``key`` is an idempotency key: an event with a key that is there already is not recorded again, nor is its move
    made.
    """

    event: str
    at: datetime
    actor: str = US
    channel: str = "loop"
    reason: str = ""
    key: str | None = None
    grounds: Grounds = NO_GROUNDS


@dataclass(frozen=True)
class Allowance:
    """At most so many proposals with one of these events through a channel since an instant; ``said`` in words."""

    events: tuple[str, ...]
    channel: str
    since: datetime
    most: int
    said: str


Hindered = Callable[[Proposal], str]
"""Whether a proposal that holds its place keeps another one from beginning, in words; empty if not."""


_COLUMNS = [proposals.c[name] for name in Proposal.__dataclass_fields__]
_EVENT = [proposal_events.c[name] for name in ProposalEvent.__dataclass_fields__]


class Proposals:
    """Proposals of one ledger."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(
        self,
        proposal: Proposal,
        happening: Happening,
        *,
        unless: Callable[[Sequence[Proposal]], bool] = lambda _: False,
    ) -> bool:
        """Make a proposal durable; False if it is there already, or ``unless`` is true of those about its subject."""
        row = {name: getattr(proposal, name) for name in Proposal.__dataclass_fields__}
        same_subject = select(*_COLUMNS).where(proposals.c.subject_id == proposal.subject_id)
        with self._store.transaction() as connection:
            take_turns(connection)
            there = [_proposal(row) for row in connection.execute(same_subject).mappings()]
            if any(one.proposal_id == proposal.proposal_id for one in there) or unless(there):
                return False
            connection.execute(insert(proposals), row)
            self._note(connection, proposal, happening)
        return True

    def move(
        self, seen: Proposal, state: ProposalState, happening: Happening, *, applied: str | None = None
    ) -> Proposal | None:
        """Move a proposal that is still as it was seen; None if another run was faster."""
        with self._store.transaction() as connection:
            take_turns(connection)
            return self._move(connection, seen, state, happening, applied)

    def end(self, seen: Proposal, state: ProposalState, happening: Happening, intent: Intent | None) -> Proposal | None:
        """End a proposal together with its write, which was not made; None if another run has moved either meanwhile.

        ``intent`` is the newest one about the proposal, as the caller saw it.
        """
        newest = select(intents.c.intent_id, intents.c.state, intents.c.attempts)
        newest = newest.where(intents.c.subject_id == seen.proposal_id, intents.c.is_head).with_for_update()
        with self._store.transaction() as connection:
            there = connection.execute(newest).first()
            take_turns(connection)
            if (tuple(there) if there else None) != (intent and (intent.intent_id, intent.state, intent.attempts)):
                return None
            ended = self._move(connection, seen, state, happening, None)
            if ended and intent and intent.state in _NOT_MADE:
                here = intents.c.intent_id == intent.intent_id
                values = {"state": State.WITHDRAWN, "reason": happening.reason, "updated_at": happening.at}
                connection.execute(update(intents).where(here).values(**values))
                shown = {"reason": happening.reason}
                self._store.note(connection, happening.at, "intent withdrawn", intent.intent_id, shown)
            return ended

    def begin(
        self,
        seen: Proposal,
        happening: Happening,
        *,
        hindered: Hindered = lambda _: "",
        allowances: Sequence[Allowance] = (),
    ) -> Proposal | str | None:
        """Begin the act of an approved proposal: the place is its own from here on.

        Args:
            seen: the proposal as the caller saw it.
            happening: what is recorded.
            hindered: says of another one that holds its place whether it keeps this one from beginning.
            allowances: limits that are counted once nobody else can begin.

        Returns:
            The proposal; a reason in words if it may not begin; None if another run was faster.
        """
        holding = proposals.c.state.in_(HOLDING) & (proposals.c.proposal_id != seen.proposal_id)
        with self._store.transaction() as connection:
            take_turns(connection)
            if halt := stopped_in(self._store, connection):
                return f"stopped by {halt.actor}: {halt.reason}"
            for row in connection.execute(select(*_COLUMNS).where(holding)).mappings():
                if row["place"] == seen.place:
                    return f"plan {row['proposal_id'][:12]} holds it"
                if reason := hindered(_proposal(row)):
                    return reason
            for allowance in allowances:
                if _counted(connection, allowance, seen.proposal_id) >= allowance.most:
                    return allowance.said
            return self._move(connection, seen, ProposalState.APPLYING, happening, None)

    def happen(self, seen: Proposal, happening: Happening) -> bool:
        """Record an event that moves nothing: a vote, a reminder, drift. False if its key is there already."""
        with self._store.transaction() as connection:
            take_turns(connection)
            if self._is_known(connection, happening):
                return False
            here = proposals.c.proposal_id == seen.proposal_id
            present = ProposalState(connection.execute(select(proposals.c.state).where(here)).scalar_one())
            self._note(connection, replace(seen, state=present), happening)
        return True

    # ---------- reading

    def named(self, prefix: str) -> list[Proposal]:
        """The proposals whose id begins like this."""
        return self._read(proposals.c.proposal_id.startswith(prefix.lower(), autoescape=True))

    def live(self) -> list[Proposal]:
        """The proposals that are not over, oldest first."""
        return self._read(proposals.c.state.in_(LIVE))

    def all(self, kind: str) -> list[Proposal]:
        """Every proposal of a kind, oldest first."""
        return self._read(proposals.c.kind == kind)

    def about(self, subjects: Collection[str]) -> dict[str, list[Proposal]]:
        """The proposals about each of these subjects, oldest first."""
        named, found = sorted(subjects), dict[str, list[Proposal]]()
        for start in range(0, len(named), AT_ONCE):
            for one in self._read(proposals.c.subject_id.in_(named[start : start + AT_ONCE])):
                found.setdefault(one.subject_id, []).append(one)
        return found

    def get(self, proposal_id: str) -> Proposal:
        """One proposal by its whole id."""
        (found,) = self._read(proposals.c.proposal_id == proposal_id)
        return found

    def events(self, proposal_id: str) -> list[ProposalEvent]:
        """What happened to a proposal, oldest first."""
        query = select(*_EVENT).where(proposal_events.c.proposal_id == proposal_id).order_by(proposal_events.c.event_id)
        with self._store.reading() as connection:
            return [ProposalEvent(**row) for row in connection.execute(query).mappings()]

    def events_after(self, event_id: int, limit: int = 10_000) -> list[ProposalEvent]:
        """What happened to any proposal after an event, oldest first."""
        query = select(*_EVENT).where(proposal_events.c.event_id > event_id).order_by(proposal_events.c.event_id)
        with self._store.reading() as connection:
            return [ProposalEvent(**row) for row in connection.execute(query.limit(limit)).mappings()]

    def newest_event(self) -> int:
        """The number of the last event of any proposal; 0 if there is none."""
        with self._store.reading() as connection:
            newest: int | None = connection.execute(select(func.max(proposal_events.c.event_id))).scalar_one()
        return newest or 0

    def count(self, allowance: Allowance, proposal_id: str) -> int:
        """The number of other proposals that an allowance counts."""
        with self._store.reading() as connection:
            return _counted(connection, allowance, proposal_id)

    # ---------- within a transaction

    def _read(self, chosen: Any) -> list[Proposal]:
        query = select(*_COLUMNS).where(chosen).order_by(proposals.c.created_at, proposals.c.proposal_id)
        with self._store.reading() as connection:
            return [_proposal(row) for row in connection.execute(query).mappings()]

    def _move(
        self, connection: Connection, seen: Proposal, state: ProposalState, happening: Happening, applied: str | None
    ) -> Proposal | None:
        if self._is_known(connection, happening):
            return None
        same = (proposals.c.proposal_id == seen.proposal_id) & (proposals.c.moves == seen.moves)
        values: dict[str, Any] = {"state": state, "moves": seen.moves + 1, "reason": happening.reason}
        values |= {"updated_at": happening.at} | ({"applied": applied} if applied is not None else {})
        if (
            connection.execute(update(proposals).where(same, proposals.c.state == seen.state).values(**values)).rowcount
            != 1
        ):
            return None
        moved = replace(seen, **values)
        self._note(connection, moved, happening)
        return moved

    def _note(self, connection: Connection, proposal: Proposal, happening: Happening) -> None:
        row = {
            "proposal_id": proposal.proposal_id,
            "event": happening.event,
            "state": proposal.state,
            "actor": happening.actor,
            "channel": happening.channel,
            "reason": happening.reason,
            "key": happening.key,
            "at": happening.at,
        }
        connection.execute(insert(proposal_events), row)
        shown = {name: str(row[name]) for name in ("proposal_id", "state", "actor", "channel", "reason") if row[name]}
        event = f"proposal {happening.event}"
        self._store.note(connection, happening.at, event, None, shown, happening.grounds)

    def _is_known(self, connection: Connection, happening: Happening) -> bool:
        if happening.key is None:
            return False
        known = select(proposal_events.c.event_id).where(proposal_events.c.key == happening.key)
        return connection.execute(known).first() is not None


def _counted(connection: Connection, allowance: Allowance, proposal_id: str) -> int:
    """Proposals, other than one, that an allowance counts."""
    events = proposal_events.c
    chosen = events.event.in_(allowance.events) & (events.channel == allowance.channel) & (events.at > allowance.since)
    others = select(func.count(events.proposal_id.distinct())).where(chosen, events.proposal_id != proposal_id)
    return int(connection.execute(others).scalar_one())


def _proposal(row: RowMapping) -> Proposal:
    return Proposal(**{**row, "state": ProposalState(row["state"])})


def approvals_of(events: Sequence[ProposalEvent]) -> list[str]:
    """The people who approved, each once, in order."""
    people = (event.actor for event in events if event.event == "approved" and event.actor != US)
    return list(dict.fromkeys(people))

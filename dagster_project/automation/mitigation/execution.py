"""Execution of one plan: act, undo, settle what is unknown, watch what is in force.

An act is an intent of the ledger, durable before anything is sent, and never sent again blindly: a lost answer is
settled by reading the state. Before each send the guards are asked anew: stop switch, limits, expiry, approvals, the
evidence, and the state of the item, which must be the one that the plan names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dagster_project.automation.actuators.base import (
    Actuator,
    AwaitingApproval,
    Conflict,
    Predicts,
    Reading,
    VerifiesEffect,
    canonical,
)
from dagster_project.automation.ledger.intents import Intent, State, Step, next_step
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.proposals import US, Allowance, Happening, Proposal, ProposalEvent, ProposalState
from dagster_project.automation.mitigation.ladder import in_the_way
from dagster_project.automation.mitigation.orders import Act, Order, destination_of
from dagster_project.automation.mitigation.plans import Plan
from dagster_project.automation.outcomes import (
    Confirmed,
    Deferred,
    DeliveryError,
    NotSent,
    Outcome,
    Rejected,
    Unknown,
)

Progress = Callable[[str], None]
Guard = Callable[[], str]
"""What keeps an act from being sent now, in words; empty if nothing does."""

_MOST_STEPS = 8

_UNDER_WAY = {Act.APPLY: ProposalState.APPLYING, Act.UNDO: ProposalState.UNDOING}
_AFTER = {Act.APPLY: ProposalState.IN_FORCE, Act.UNDO: ProposalState.UNDONE}
_DONE = {Act.APPLY: "applied", Act.UNDO: "undone"}


@dataclass(frozen=True)
class Author:
    """The person, or this system, on whose word something is done, and through which channel."""

    name: str = US
    channel: str = "loop"


def once(proposal: Proposal, *what: object) -> str:
    """Idempotency key of something that happens to a proposal once."""
    return hashlib.sha256(canonical([proposal.proposal_id, *what]).encode()).hexdigest()


def asker_of(events: Sequence[ProposalEvent]) -> Author:
    """Whoever asked for an undo last."""
    asked = next((one for one in reversed(events) if one.event == "undo_asked"), None)
    return Author(asked.actor, asked.channel) if asked else Author()


class Execution:
    """Execution at one target."""

    def __init__(self, ledger: Ledger, actuator: Actuator, clock: Callable[[], datetime], progress: Progress) -> None:
        self._ledger, self._actuator, self._clock, self._progress = ledger, actuator, clock, progress
        self._settle_time = timedelta(seconds=actuator.settle_seconds)
        self._at = destination_of(actuator.name)

    def apply(
        self, proposal: Proposal, guard: Guard, author: Author | None = None, allowances: Sequence[Allowance] = ()
    ) -> Proposal:
        """Act upon an approved plan, or go on with an act that is under way; returns what became of it."""
        author = author or Author()
        if proposal.state is ProposalState.APPROVED:
            plan = Plan.of(proposal)
            begun = self._ledger.proposals.begin(
                proposal,
                self._happening("begun", author),
                hindered=lambda other: in_the_way(plan, Plan.of(other)),
                allowances=allowances,
            )
            if not isinstance(begun, Proposal):
                self._progress(f"plan {Plan.of(proposal).short_id} waits: {begun or 'another run has it'}")
                return self._again(proposal)
            proposal = begun
        return self._carry_out(proposal, Act.APPLY, guard, author)

    def undo(self, proposal: Proposal, guard: Guard, author: Author | None = None) -> Proposal:
        """Restore the state before, or go on with that; returns what became of the plan."""
        author = author or Author()
        if proposal.state is ProposalState.IN_FORCE:
            asked = self._happening("undo_asked", author)
            moved = self._ledger.proposals.move(proposal, ProposalState.UNDOING, asked)
            if moved is None:
                return self._again(proposal)
            proposal = moved
        elif author.name not in (US, asker_of(self._ledger.proposals.events(proposal.proposal_id)).name):
            self._ledger.proposals.happen(proposal, self._happening("undo_asked", author))
        return self._carry_out(proposal, Act.UNDO, guard, author)

    def watch(self, proposal: Proposal) -> bool:
        """Re-read what is held; a change that somebody made is told once. True if it is as the act left it."""
        plan, reading = Plan.of(proposal), self._actuator.read(Plan.of(proposal).item)
        holds = self._actuator.shows(reading, plan.desired)
        events = self._ledger.proposals.events(proposal.proposal_id)
        last, drifted = _last_of(_DRIFT, events), drifts(events)
        if not holds and not (drifted and reading.digest in drifted.reason):
            reason = f"somebody or a reload set it to {canonical(reading.state)} ({reading.digest})"
            self._tell_once(proposal, "drifted", reason, last and last.event_id)
        elif holds and drifted:
            self._tell_once(proposal, "returned", "it is as the act left it again", drifted.event_id)
        return holds

    # ---------- one act

    def _carry_out(self, proposal: Proposal, act: Act, guard: Guard, author: Author) -> Proposal:
        plan = Plan.of(proposal)
        order = Order(plan, act)
        for _ in range(_MOST_STEPS):
            proposal = self._again(proposal)
            if proposal.state is not _UNDER_WAY[act]:
                return proposal  # another run has finished it, or ended it
            head = self._ledger.head(plan.plan_id, self._at)
            delivered = head
            if head and head.state is not State.CONFIRMED:
                delivered = None if head.opens else self._ledger.delivered_before(head)
            step = next_step(head, delivered, order, self._clock())
            if step is Step.BLOCKED and head and head.state is State.REJECTED and act is Act.UNDO:
                step = Step.SEND  # it is in force still, so it is tried again each time
            match step:
                case Step.NOTHING:
                    return self._finished(proposal, act, author)
                case Step.EXPIRE if head:
                    self._ledger.expire(head, self._clock(), self._settle_time)
                case Step.LOOK_UP if head:
                    if failed := self._look_up(proposal, order, head):
                        return failed
                case Step.SEND:
                    if reason := guard():
                        return self._held_back(proposal, act, head, reason)
                    if over := self._send(proposal, order, head, author):
                        return over
                case Step.BLOCKED if head and act is Act.APPLY:
                    return self._failed(proposal, head.reason, head)  # the run that was told so ended there
                case _:
                    return self._again(proposal)
        return self._again(proposal)

    def _send(self, proposal: Proposal, order: Order, head: Intent | None, author: Author) -> Proposal | None:
        """Send an order; returns the proposal if nothing more can be done now."""
        if head is None or head.state is State.CONFIRMED:
            grounds = {order.subject_id: order.plan.grounds}
            self._ledger.record([(head, order.act, order)], self._at, self._clock(), grounds)
            head = self._ledger.head(order.subject_id, self._at)
        claimed = self._ledger.claim(head, order.act, order, self._clock()) if head else None
        if claimed is None:
            return None  # another run was faster: look again
        try:
            outcome, error = self._call(order, proposal, claimed, author)
        except BaseException:
            self._ledger.finish(claimed, Unknown("interrupted while sending"), self._clock(), self._settle_time)
            raise
        self._ledger.finish(claimed, outcome, self._clock(), self._settle_time)
        match outcome:
            case Confirmed():
                return None
            case Rejected(reason) if order.act is Act.UNDO and not isinstance(error, Conflict):
                self._tell_once(proposal, "undo_refused", reason)
            case Rejected(reason):
                return self._failed(proposal, reason, self._ledger.head(order.subject_id, self._at))
            case Deferred(reason) if isinstance(error, AwaitingApproval):
                self._tell_once(proposal, "waits", f"{reason}: {error.url}")
            case Unknown(reason) | NotSent(reason) | Deferred(reason):
                self._progress(f"plan {order.plan.short_id}: {reason}")
        after = self._again(proposal)
        if after.state is not _UNDER_WAY[order.act]:
            self._ledger.withdraw(claimed, self._clock())
        return after

    def _call(
        self, order: Order, proposal: Proposal, claimed: Intent, author: Author
    ) -> tuple[Outcome[Reading], DeliveryError | None]:
        plan = order.plan
        try:
            if reason := self._withheld(claimed, proposal, order.act, author):
                return NotSent(reason), None
            if order.act is Act.APPLY:
                return Confirmed(self._actuator.apply(plan.item, plan.desired, plan.before, order.note)), None
            return Confirmed(self._actuator.restore(plan.before, _applied(proposal), order.note)), None
        except DeliveryError as error:
            return error.outcome, error
        except Exception as error:
            return Unknown(f"unforeseen {type(error).__name__}: {error}"), None

    def _withheld(self, claimed: Intent, proposal: Proposal, act: Act, author: Author) -> str:
        """What keeps a claimed act from leaving, asked at the last moment; empty if nothing does."""
        head = self._ledger.head(claimed.subject_id, self._at)
        if head is None or (head.state, head.attempts) != (State.SENDING, claimed.attempts):
            return "another run took it over, as this one took too long"
        if self._again(proposal).state is not _UNDER_WAY[act]:
            return "another run ended it"
        if act is Act.UNDO and author.name != US:
            return ""  # a person's undo waits for nothing
        stop = self._ledger.switch.stopped()
        return f"stopped by {stop.actor}: {stop.reason}" if stop else ""

    def _look_up(self, proposal: Proposal, order: Order, head: Intent) -> Proposal | None:
        """Settle a lost answer by reading the state; returns the proposal if it cannot be settled now."""
        try:
            reading = self._actuator.read(order.plan.item)
        except DeliveryError as error:
            self._ledger.not_looked_up(head, error.outcome, self._clock())
            return self._again(proposal)
        if self._is_there(reading, order):
            self._ledger.found(head, reading, as_sent=True, now=self._clock())
            return None
        if self._is_untouched(reading, order, proposal):
            self._ledger.absent(head, self._clock())
            return None
        reason = f"somebody set it to {canonical(reading.state)} meanwhile; left as it is"
        return self._failed(proposal, reason, head)

    def _is_there(self, reading: Reading, order: Order) -> bool:
        if order.act is Act.APPLY:
            return self._actuator.shows(reading, order.plan.desired)
        return reading.digest == order.plan.before.digest

    def _is_untouched(self, reading: Reading, order: Order, proposal: Proposal) -> bool:
        before = order.plan.before
        if order.act is Act.APPLY:  # by its version too: somebody may have put it back since it was sent
            return (reading.digest, reading.version) == (before.digest, before.version)
        return reading.digest == _applied(proposal).digest

    # ---------- ends

    def _finished(self, proposal: Proposal, act: Act, author: Author) -> Proposal:
        plan = Plan.of(proposal)
        applied, reason = None, ""
        if act is Act.APPLY:
            left = self._left(plan)
            applied = canonical({"item": left.item, "state": left.state, "version": left.version})
            reason = self._seen_otherwise(plan)
        happening = self._happening(_DONE[act], author, reason)
        moved = self._ledger.proposals.move(proposal, _AFTER[act], happening, applied=applied)
        if moved:
            self._progress(f"plan {plan.short_id} is {_DONE[act]}: {plan.title}")
        return moved or self._again(proposal)

    def _left(self, plan: Plan) -> Reading:
        """The state that the act left: as it follows from the state before, if the system can tell, else as it is."""
        now = self._actuator.read(plan.item)
        if not isinstance(self._actuator, Predicts):
            return now
        left = self._actuator.after(plan.before.state, plan.desired)
        return now if now.state == left else Reading(plan.item, left)

    def _seen_otherwise(self, plan: Plan) -> str:
        """What a second path says of the effect."""
        if not isinstance(self._actuator, VerifiesEffect):
            return "read back; this system has no second path"
        seen: bool | None = None
        with suppress(DeliveryError):
            seen = self._actuator.effect(plan.item, plan.desired)
        said = {True: "sees it", False: "does not see it", None: "cannot tell"}
        return f"read back; a second path {said[seen]}"

    def _held_back(self, proposal: Proposal, act: Act, head: Intent | None, reason: str) -> Proposal:
        """An act that may not be sent: it is over if its ground moved, and waits if it is only stopped."""
        plan = Plan.of(proposal)
        if reason.startswith(VOID) and act is Act.APPLY:
            happening = self._happening("voided", Author(), reason.removeprefix(VOID))
            ended = self._ledger.proposals.end(proposal, ProposalState.VOID, happening, head)
            return ended or self._again(proposal)
        self._progress(f"plan {plan.short_id} waits: {reason}")
        return self._again(proposal)

    def _failed(self, proposal: Proposal, reason: str, head: Intent | None) -> Proposal:
        happening = self._happening("failed", Author(), reason)
        ended = self._ledger.proposals.end(proposal, ProposalState.FAILED, happening, head)
        if ended:
            self._progress(f"plan {Plan.of(proposal).short_id} failed: {reason}")
        return ended or self._again(proposal)

    def _tell_once(self, proposal: Proposal, event: str, reason: str, after: object = None) -> None:
        """Record an event and tell it, once for this reason after an earlier event, whichever run is first."""
        happening = replace(self._happening(event, Author(), reason), key=once(proposal, event, reason, after))
        if self._ledger.proposals.happen(proposal, happening):
            self._progress(f"plan {Plan.of(proposal).short_id} {event}: {reason}")

    def _happening(self, event: str, author: Author, reason: str = "") -> Happening:
        return Happening(event, self._clock(), author.name, author.channel, reason)

    def _again(self, proposal: Proposal) -> Proposal:
        return self._ledger.proposals.get(proposal.proposal_id)


def _applied(proposal: Proposal) -> Reading:
    """The state that the act of a plan left; it is recorded with the move to ``in_force``."""
    assert proposal.applied is not None
    return Reading(**json.loads(proposal.applied))


def drifts(events: Sequence[ProposalEvent]) -> ProposalEvent | None:
    """The drift that goes on, by what happened to a plan in force; None if it holds."""
    last = _last_of(_DRIFT, events)
    return last if last and last.event == "drifted" else None


def _last_of(kinds: Collection[str], events: Sequence[ProposalEvent]) -> ProposalEvent | None:
    return next((one for one in reversed(events) if one.event in kinds), None)


_DRIFT = ("drifted", "returned", "applied")
VOID = "void: "
"""Beginning of a guard's answer where the plan's ground is gone, and no waiting helps."""

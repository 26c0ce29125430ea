"""Oracle of the mitigation histories: the promises, held against all that reaches a control system.

It remembers by itself what people said and did, and what each act found and left; it believes the ledger only about the
text of plans and the times of events.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from dagster_project.automation.actuators.base import State, canonical
from dagster_project.automation.ledger.proposals import HOLDING, LIVE, US, ProposalState
from dagster_project.automation.ledger.tables import audit
from dagster_project.automation.mitigation.ladder import AUTOMATIC
from dagster_project.automation.mitigation.plans import Plan, Wanted

if TYPE_CHECKING:
    from tests.automation.mitigation.world import World

APPROVERS = ("dana", "kim")
_DAY = timedelta(days=1)
_ONCE = (
    *("proposed", "begun", "applied", "undone", "voided", "expired", "refused", "failed", "undo_offered"),
    *("effective", "ineffective", "not_distinguishable"),
)


@dataclass
class Effect:
    """What an act found and left; ``is_there`` until it is undone."""

    found: State
    left: State
    is_there: bool = True
    was_changed: bool = False


class Oracle:
    """Judge of one history; ``broken`` has the broken promises, as a process of ours may catch what is raised."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.broken: list[str] = []
        self.effects: dict[str, Effect] = {}
        self.sent = Counter[str]()
        self._outstanding: dict[tuple[str, str], Plan] = {}
        self._votes: dict[str, set[str]] = {}
        self._undo_asked: set[str] = set()
        self._first_sent: dict[str, datetime] = {}
        self._owner: dict[str, str] = {}

    def _must(self, promise: object, otherwise: str) -> None:
        if not promise:
            self.broken.append(otherwise)

    # ---------- what people do

    def was_voted(self, plan: Plan, person: str, *, approves: bool) -> None:
        """A person voted; it counts if they may, and in time."""
        in_time = self._world.now < datetime.fromisoformat(plan.expires_at)
        if approves and in_time and person in APPROVERS and person != plan.proposer:
            self._votes.setdefault(plan.plan_id, set()).add(person)

    def undo_was_asked(self, plan: Plan) -> None:
        """A person asked for an undo."""
        self._undo_asked.add(plan.plan_id)

    def person_changed(self, item: str, state: State) -> None:
        """A person changed an item."""
        for plan_id, effect in self.effects.items():
            if self._owner.get(plan_id) == item and effect.is_there:
                effect.was_changed = effect.was_changed or state != effect.left

    # ---------- what reaches a control system

    def was_sent(self, act: str, plan: Plan) -> None:
        """A write leaves."""
        world = self._world
        self.sent[act] += 1
        self._must((act, plan.plan_id) not in self._outstanding, f"{act} was sent again without a look")
        self._outstanding[act, plan.plan_id] = plan
        self._must(plan.place == f"local {world.places[plan.target]}", "sent where the playbook no longer points")
        if act == "undo":
            self._must(not world.is_stopped or plan.plan_id in self._undo_asked, "an undo left while stopped")
            by_itself = plan.undo == "auto" and plan.plan_id not in self._undo_asked
            self._must(plan.plan_id in self._undo_asked or by_itself, "undone without a person")
            return
        self._must(not world.is_stopped, "an act left while stopped")
        self._has_its_needs(plan)
        self._is_fresh(plan)
        self._holds_alone(plan)
        self._within_limits(plan)

    def did_not_arrive(self, act: str, plan: Plan) -> None:
        """The sender is told so."""
        self._outstanding.pop((act, plan.plan_id), None)

    def was_read(self, item: str) -> None:
        """A reading shows which acts are not there."""
        state = self._world.items[item]
        for (act, plan_id), plan in list(self._outstanding.items()):
            there = self._shows(plan, state) if act == "apply" else state == plan.before.state
            if plan.item == item and not there:
                del self._outstanding[act, plan_id]

    def was_there(self, act: str, plan: Plan, state: State) -> None:
        """A write found what it wanted."""
        if act == "apply":
            self.effects.setdefault(plan.plan_id, Effect(plan.before.state, state))
            self._owner[plan.plan_id] = plan.item
        elif plan.plan_id in self.effects:
            self.effects[plan.plan_id].is_there = False

    def took_effect(self, act: str, plan: Plan, was: State, now: State) -> None:
        """A write changed a state."""
        if act == "apply":
            self._must(was == plan.before.state, f"an act overwrote {canonical(was)}")
            known = self.effects.get(plan.plan_id)
            self._must(not (known and known.was_changed), "somebody had put it back, and it was done again")
            self.effects[plan.plan_id] = Effect(was, now)
            self._owner[plan.plan_id] = plan.item
            return
        effect = self.effects.get(plan.plan_id)
        if effect is None:
            self._must(False, "undone, and never done")
            return
        self._must(was == effect.left, f"an undo overwrote {canonical(was)}")
        self._must(now == effect.found, f"an undo left {canonical(now)}, and not the state before")
        effect.is_there = False

    def left_by(self, plan: Plan) -> State:
        """The state that a plan's act left."""
        return self.effects[plan.plan_id].left

    # ---------- the promises about an act

    def _has_its_needs(self, plan: Plan) -> None:
        self._must(plan.mode != "shadow", "a plan in shadow acted")
        given = len(self._votes.get(plan.plan_id, ()))
        needed = 2 if plan.critical else 0 if plan.mode == "auto" and plan.tier < 3 else 1
        self._must(given >= needed, f"acted with {given} of {needed} approvals (tier {plan.tier})")
        self._must(all(one.passed is not False for one in plan.preflights), "acted in spite of a pre-flight")
        self._must(plan.item not in self._world.unhealthy, "the receiver is down now")

    def _is_fresh(self, plan: Plan) -> None:
        world = self._world
        self._must(world.turn_now() < datetime.fromisoformat(plan.expires_at), "acted on an expired plan")
        asked = [one for one in world.asked.values() if one.key == plan.key]
        self._must(asked, "acted on evidence that is gone")
        self._must(not asked or self._says(asked[0], plan), "acted on evidence that moved")

    def _says(self, wanted: Wanted, plan: Plan) -> bool:
        own_mode = plan.mode if plan.proposer in APPROVERS else wanted.mode
        said = (wanted.verdict, own_mode, wanted.critical, wanted.tier, wanted.item, wanted.target)
        return said == (plan.evidence["verdict"], plan.mode, plan.critical, plan.tier, plan.item, plan.target)

    def _holds_alone(self, plan: Plan) -> None:
        holding = self._world.in_state(*HOLDING)
        self._must(plan.plan_id in [one.plan_id for one in holding], "acted without having begun")
        self.nobody_shares(holding)

    def nobody_shares(self, holding: list[Plan]) -> None:
        """At most one act is in force per item, and per target and issue."""
        for shared in (
            Counter((one.place, one.item) for one in holding),
            Counter((one.target, one.issue_id) for one in holding),
        ):
            self._must(all(count == 1 for count in shared.values()), f"two acts in force: {shared}")

    def _within_limits(self, plan: Plan) -> None:
        automatic = plan.mode == "auto" and not plan.critical and plan.tier < 3
        if not automatic or plan.plan_id in self._first_sent:
            return
        world, limits = self._world, self._world.playbook.approvals
        since = world.turn_now() - _DAY
        today = sum(at > since for at in self._first_sent.values())
        self._must(today < limits.max_automatic_per_day, f"{today} automatic acts in a day, and one more")
        events = world.ledger.proposals.events_after(0)
        failed = sum(one.event == "ineffective" and one.channel == AUTOMATIC and one.at > since for one in events)
        self._must(failed < limits.breaker_after, "acted in spite of the breaker")
        self._first_sent[plan.plan_id] = world.turn_now()

    def _shows(self, plan: Plan, state: State) -> bool:
        control = self._world.controls[plan.target]
        return control.after(state, plan.desired) == state

    # ---------- the promises when all is quiet

    def everything_agrees(self) -> None:
        """Every state of the ledger is that of the control systems, the log holds, and the lake has it all once."""
        world = self._world
        assert not self.broken, self.broken[0]
        assert world.ledger.verify_audit().holds, "the audit log does not verify"
        events = world.ledger.proposals.events_after(0)
        self._nothing_begins_while_stopped()
        exported = [str(row["event_id"]) for row in world.lake]
        assert len(exported) == len(set(exported)) == len(events), "the lake has not each event once"
        for proposal in world.proposals():
            plan, told = Plan.of(proposal), [one for one in events if one.proposal_id == proposal.proposal_id]
            assert proposal.state not in (ProposalState.APPLYING, ProposalState.UNDOING), "under way for ever"
            assert told[-1].state == proposal.state, "the last event says another state"
            counts = Counter(one.event for one in told)
            assert all(counts[event] <= 1 for event in _ONCE), f"told twice: {counts}"
            asked = Counter(one.reason + one.event for one in told if one.event in ("reminded", "escalated"))
            assert all(count == 1 for count in asked.values()), f"asked twice: {asked}"
            self._is_true(plan, proposal.state, [one.event for one in told])
        ours = Counter(plan.key for plan in world.in_state(*LIVE) if plan.proposer == US)
        assert all(count == 1 for count in ours.values()), f"planned twice: {ours}"
        self.nobody_shares(world.in_state(*HOLDING))

    def _nothing_begins_while_stopped(self) -> None:
        stopped = False
        with self._world.ledger._store.reading() as connection:
            events: list[str] = list(connection.execute(select(audit.c.event).order_by(audit.c.audit_id)).scalars())
        for event in events:
            stopped = event == "acts stopped" or (stopped and event != "acts resumed")
            assert not (stopped and event == "proposal begun"), "an act began while stopped"

    def _is_true(self, plan: Plan, state: ProposalState, told: list[str]) -> None:
        now, effect = self._world.items[plan.item], self.effects.get(plan.plan_id)
        if state is ProposalState.IN_FORCE:
            assert effect, "in force, and never done"
            drift = [event for event in told if event in ("applied", "drifted", "returned")][-1]
            shown = self._shows(plan, now)
            assert shown != (drift == "drifted"), f"in force, {drift}, and it is {canonical(now)}"
        elif state not in (ProposalState.FAILED, ProposalState.UNDONE):
            assert not (effect and effect.is_there), f"{state}, and its act was forgotten"
        elif state is ProposalState.UNDONE and effect and effect.is_there:
            assert effect.was_changed, "undone, and it never was"

    def everything_can_be_undone(self) -> None:
        """A person undoes what is in force: the very state before is there again, or a conflict is told."""
        world = self._world
        for plan in world.in_state(ProposalState.IN_FORCE):
            effect, was = self.effects[plan.plan_id], dict(world.items[plan.item])
            world.undo(plan, "dana")
            state, now = world.ledger.proposals.get(plan.plan_id).state, world.items[plan.item]
            if was in (effect.left, effect.found):
                assert (state, now) == (ProposalState.UNDONE, effect.found), f"not undone: {state}, {canonical(now)}"
            else:
                assert (state, now) == (ProposalState.FAILED, was), f"a conflict was not told: {state}"
        assert not self.broken, self.broken[0]

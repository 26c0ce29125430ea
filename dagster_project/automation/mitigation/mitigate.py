"""Mitigation turn: votes, due steps of every plan, new plans for what the decision asks for, and the lake export.

Whatever raises about one plan or one target harms only its own: the report names it, and the rest is done. A turn can
be repeated at any time: it does nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from time import monotonic

import polars as pl

from dagster_project import lake
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.proposals import (
    HOLDING,
    LIVE,
    US,
    WAITING,
    Allowance,
    Happening,
    Proposal,
    ProposalState,
    approvals_of,
)
from dagster_project.automation.ledger.turns import CompleteTurn
from dagster_project.automation.mitigation import ladder
from dagster_project.automation.mitigation.announcing import announce_plans
from dagster_project.automation.mitigation.approvals import Counted, Vote, vote, votes_of_comment
from dagster_project.automation.mitigation.decided import Decided, Published
from dagster_project.automation.mitigation.due import decision_digest
from dagster_project.automation.mitigation.execution import VOID, Author, Execution, Progress, asker_of, once
from dagster_project.automation.mitigation.export import export_plans
from dagster_project.automation.mitigation.planner import Planner, Targets
from dagster_project.automation.mitigation.plans import KIND, Plan, Wanted
from dagster_project.decisioning.playbook import Playbook, load_playbook
from dagster_project.errors import ConfigurationError, said_of
from dagster_project.home import Home

_DAY = timedelta(days=1)

_VERDICTS = ("effective", "ineffective", "not_distinguishable")
"""Results of a verification; each is an event of the plan."""

_CLOSED_BY_PEOPLE = (ProposalState.REFUSED, ProposalState.UNDONE, ProposalState.FAILED)
"""After these, a plan of the same mitigation for the same issue is made only on a person's word (flap guard)."""

_SAID_ALREADY = (ProposalState.SHADOW, ProposalState.EXPIRED)
"""A plan on the same ground would say the same again."""


@dataclass
class MitigationReport:
    """Report of one turn: plans by what became of them, and problems."""

    counts: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def count(self, what: str) -> None:
        """One more of these."""
        self.counts[what] = self.counts.get(what, 0) + 1


def mitigate(
    home: Home, *, now: datetime, ledger: Ledger | None = None, progress: Progress = lambda _: None
) -> MitigationReport:
    """Take every plan one step further, and make the plans that the decision asks for.

    Raises:
        ConfigurationError: the playbook or the ledger cannot be used, or nothing has been decided yet.
    """
    lake.refuse_borrowed(home)
    ledger = ledger or Ledger.of(home, now=now)
    ledger.ownership.claim(home.marker)
    turn, decision = Turn(home, ledger, load_playbook(home.playbook), now, progress), decision_digest(home)
    ledger.turns.begin(KIND)
    try:
        report = turn.run()
    finally:
        turn.close()
    if not report.problems:
        ledger.turns.complete(KIND, CompleteTurn(decision, now))
    return report


class Turn:
    """One turn over all plans; what is ``decided``, and the ``targets``, are those of the home if none are given."""

    def __init__(
        self,
        home: Home,
        ledger: Ledger,
        playbook: Playbook,
        now: datetime,
        progress: Progress,
        *,
        decided: Decided | None = None,
        targets: Targets | None = None,
    ) -> None:
        self._home, self._ledger, self._playbook, self._now, self._progress = home, ledger, playbook, now, progress
        self._started = monotonic()
        self._decided = decided or Published(home)
        self.targets = targets or Targets(home, playbook)
        self.planner = Planner(self.targets, timedelta(hours=playbook.approvals.valid_hours), self.clock)
        self.report = MitigationReport()

    def run(self) -> MitigationReport:
        """Votes, due steps, new plans, reminders, export, events."""
        with self._alone("comments"):
            self._count_comments()
        for proposal in self._ledger.proposals.live():
            with self._alone(f"plan {Plan.of(proposal).short_id}"):
                self.advance(proposal)
        for wanted in self._wanted.values():
            with self._alone(f"{wanted.issue_id}, {wanted.mitigation}"):
                self._propose(wanted)
        with self._alone("lake/plan_events"):
            export_plans(self._home, self._ledger)
        with self._alone("events about plans"):
            announce_plans(self._home, self._ledger, self.clock())
        return self.report

    def close(self) -> None:
        """Release the connections of the targets."""
        self.targets.close()

    def clock(self) -> datetime:
        """The present."""
        return self._now + timedelta(seconds=monotonic() - self._started)

    # ---------- votes

    def cast(self, ballot: Vote) -> Counted:
        """Count a vote; an approved plan is acted upon at once."""
        counted = vote(self._ledger, ballot, list(self._playbook.approvers), self.clock())
        self._progress(counted.said)
        if counted.proposal and counted.proposal.state is ProposalState.APPROVED and not counted.refusal:
            return replace(counted, proposal=self.advance(counted.proposal))
        return counted

    def _count_comments(self) -> None:
        accounts: dict[tuple[str, str], str] = {
            (channel, account): name
            for name, approver in self._playbook.approvers.items()
            for channel, account in approver.accounts.items()
        }
        kinds = self._destination_kinds()
        lake.ensure_table(self._home, "ticket_events")
        commands = pl.col("value").str.contains(r"(?m)^\s*/(approve|refuse)\s")
        comments = lake.scan(self._home, "ticket_events").filter(pl.col("event") == "comment", commands).collect()
        for row in comments.sort("occurred_at", "event_id").iter_rows(named=True):
            for ballot in votes_of_comment(row, kinds.get(row["destination"], ""), accounts):
                counted = vote(self._ledger, ballot, list(self._playbook.approvers), self.clock())
                self._progress(f"{ballot.channel}: {ballot.person}: {counted.said}")

    def _destination_kinds(self) -> dict[str, str]:
        from dagster_project.automation.destinations import load_destinations

        return {one.name: getattr(one.policy, "kind", "") for one in load_destinations(self._home)}

    # ---------- plans that are there

    def advance(self, proposal: Proposal) -> Proposal:
        """Take the due step of one plan, and the one after it."""
        for _ in range(3):
            after = self._step(proposal)
            if after.state not in LIVE or after.moves == proposal.moves:
                return after
            proposal = after
        return proposal

    def _step(self, proposal: Proposal) -> Proposal:
        plan = Plan.of(proposal)
        match self._due(proposal, plan):
            case ladder.Step.EXPIRE:
                return self._end(proposal, ProposalState.EXPIRED, "expired", "nobody approved it in time")
            case ladder.Step.VOID:
                return self._end(proposal, ProposalState.VOID, "voided", self._moved(plan))
            case ladder.Step.APPROVE:
                said = Happening("approved", self.clock(), US, "playbook", f"mode {plan.mode}", grounds=plan.grounds)
                return self._ledger.proposals.move(proposal, ProposalState.APPROVED, said) or self._again(proposal)
            case ladder.Step.ACT:
                return self._counted(self._apply(proposal, plan))
            case ladder.Step.SETTLE if proposal.state is ProposalState.UNDOING:
                asker = asker_of(self._ledger.proposals.events(plan.plan_id))
                guard = self._stopped if asker.name == US else lambda: ""
                return self._counted(self._execution(plan).undo(proposal, guard, asker))
            case ladder.Step.SETTLE:
                return self._counted(self._apply(proposal, plan))
            case ladder.Step.UNDO:
                return self._counted(self._execution(plan).undo(proposal, self._stopped))
            case ladder.Step.OFFER_UNDO:
                self._tell_once(
                    proposal, "undo_offered", "the issue is over" if self._is_over(plan) else "it did not help"
                )
                self._watch(proposal, plan)
            case ladder.Step.WATCH:
                self._watch(proposal, plan)
            case ladder.Step.KEEP:
                self._remind(proposal)
        return self._again(proposal)

    def propose(self, issue_id: str, mitigation: str, person: str) -> Proposal:
        """Make a person's plan for a mitigation, which somebody else has to approve.

        Raises:
            ConfigurationError: the evidence is too thin, the target cannot be used, or there is nothing to do.
        """
        plan = self.planner.plan(self._decided.candidate(issue_id, mitigation), person)
        if plan is None:
            raise ConfigurationError(f"there is nothing to do: the item has that state already ({mitigation})")
        happening = Happening("proposed", self.clock(), person, "cli", grounds=plan.grounds)
        self._ledger.proposals.add(plan.proposal(), happening)
        return self._ledger.proposals.get(plan.plan_id)

    def undo(self, proposal: Proposal, author: Author) -> Proposal:
        """Undo a plan in force on a person's word, which waits for nothing."""
        if proposal.state not in (ProposalState.IN_FORCE, ProposalState.UNDOING):
            said = proposal.state.replace("_", " ")
            raise ConfigurationError(f"plan {Plan.of(proposal).short_id} is {said}: there is nothing to undo")
        return self._counted(self._execution(Plan.of(proposal)).undo(proposal, lambda: "", author))

    def _due(self, proposal: Proposal, plan: Plan) -> ladder.Step:
        waits = proposal.state in WAITING
        events = self._ledger.proposals.events(proposal.proposal_id)
        situation = ladder.Situation(
            state=proposal.state,
            now=self.clock(),
            expires_at=proposal.expires_at,
            moved=self._moved(plan) if waits and self.clock() < proposal.expires_at else "",
            approvals=len(approvals_of(events)),
            hindrance=self._hindrance(plan) if waits else self._stopped(),
            is_spent=self._is_over(plan) or any(one.event == "ineffective" for one in events),
            undo_offered=any(one.event == "undo_offered" for one in events),
        )
        return ladder.next_step(plan, situation)

    def _is_over(self, plan: Plan) -> bool:
        return self._issue_states.get(plan.issue_id, "open") == "resolved"

    def _moved(self, plan: Plan) -> str:
        return self.planner.moved(plan, self._wanted_for(plan))

    def _guard(self, plan: Plan) -> str:
        """All that may keep an act from being sent, asked just before."""
        if reason := self._hindrance(plan):
            return reason
        proposal = self._ledger.proposals.get(plan.plan_id)
        if self.clock() >= proposal.expires_at:
            return f"{VOID}it expired before it could be sent"
        if len(approvals_of(self._ledger.proposals.events(plan.plan_id))) < ladder.approvals_needed(plan):
            return f"{VOID}its approvals are not there"
        reason = self._moved(plan)
        return f"{VOID}{reason}" if reason else ""

    def _hindrance(self, plan: Plan) -> str:
        """What keeps an approved plan waiting, in words; empty if nothing does."""
        if stopped := self._stopped():
            return stopped
        exceeded = (
            one for one in self._allowances(plan) if self._ledger.proposals.count(one, plan.plan_id) >= one.most
        )
        return next((one.said for one in exceeded), "")

    def _allowances(self, plan: Plan) -> tuple[Allowance, ...]:
        limits = self._playbook.approvals
        return ladder.allowances(plan, limits.max_automatic_per_day, limits.breaker_after, self.clock() - _DAY)

    def _apply(self, proposal: Proposal, plan: Plan) -> Proposal:
        limits = self._allowances(plan)
        return self._execution(plan).apply(proposal, lambda: self._guard(plan), author_of(plan), limits)

    def _stopped(self) -> str:
        stop = self._ledger.switch.stopped()
        return f"stopped by {stop.actor}: {stop.reason}" if stop else ""

    def _watch(self, proposal: Proposal, plan: Plan) -> None:
        if not self._execution(plan).watch(proposal):
            self.report.count("drifted")
        effect = self._effects.get(plan.plan_id)
        if effect in _VERDICTS:
            self._tell_once(proposal, effect, f"{plan.verify_metric} within {plan.verify_minutes} minutes")

    def _remind(self, proposal: Proposal) -> None:
        """Remind those who are asked, and ask the next one."""
        if proposal.state is not ProposalState.PROPOSED:
            return
        settings, people = self._playbook.approvals, list(self._playbook.approvers)
        due = ladder.reminders_due(
            self.clock() - proposal.created_at,
            timedelta(minutes=settings.remind_minutes),
            timedelta(minutes=settings.escalate_minutes),
            len(people),
        )
        for event, number in zip(("reminded", "escalated"), due, strict=True):
            for turn in range(number):
                asked = people[min(turn + (event == "escalated"), len(people) - 1)] if people else "nobody"
                self._tell_once(proposal, event, f"{asked} is asked to approve", turn)

    # ---------- new plans

    def _propose(self, wanted: Wanted) -> None:
        """Make the plan for what is wanted, unless there is one that stands on the same ground."""
        about = self._ledger.proposals.about([wanted.issue_id]).get(wanted.issue_id, ())
        if _is_answered(about, wanted.key):
            return
        if wanted.mode != "shadow" and (held := _held_at(about, wanted.target)):
            self._progress(f"{wanted.mitigation} for {wanted.issue_id} waits until plan {held.short_id} is undone")
            return
        plan = self.planner.plan(wanted)
        if plan is None:
            return
        proposal, happening = plan.proposal(), Happening("proposed", self.clock(), grounds=plan.grounds)
        # Asked again where nobody else can add one: two runs at once make one plan.
        if self._ledger.proposals.add(
            proposal, happening, unless=lambda known: _is_answered(known, plan.key, plan.ground)
        ):
            self.report.count("proposed" if plan.mode != "shadow" else "shadow")
            self._progress(f"plan {plan.short_id}: {plan.title} for {plan.issue_id} ({plan.mode})")
            self.advance(self._again(proposal))

    # ---------- what a turn reads once

    @cached_property
    def _wanted(self) -> Mapping[tuple[str, str], Wanted]:
        return {one.key: one for one in self._decided.wanted()}

    def _wanted_for(self, plan: Plan) -> Wanted | None:
        """What the decision asks for now; for a person's plan, what it lets a person ask for."""
        if plan.proposer == US:
            return self._wanted.get(plan.key)
        with suppress(ConfigurationError):
            return self._decided.candidate(*plan.key)
        return None

    @cached_property
    def _issue_states(self) -> Mapping[str, str]:
        return self._decided.issue_states()

    @cached_property
    def _effects(self) -> Mapping[str, str]:
        return self._decided.effects()

    def _execution(self, plan: Plan) -> Execution:
        target = self.targets.get(plan.target)
        if target.actuator is None:
            raise ConfigurationError(f"target {plan.target}: {target.broken}")
        if target.settings is None or target.settings.place != plan.place:
            raise ConfigurationError(
                f"plan {plan.short_id} is about {plan.place}, where `targets.{plan.target}` of the playbook no longer"
                " points; let it point there until the plan is undone"
            )
        return Execution(self._ledger, target.actuator, self.clock, self._progress)

    # ---------- small steps

    def _end(self, proposal: Proposal, state: ProposalState, event: str, reason: str) -> Proposal:
        self.report.count(event)
        self._progress(f"plan {Plan.of(proposal).short_id} is {event}: {reason}")
        happening = Happening(event, self.clock(), reason=reason)
        return self._ledger.proposals.move(proposal, state, happening) or self._again(proposal)

    def _tell_once(self, proposal: Proposal, event: str, reason: str, number: int = 0) -> None:
        """Record an event and tell it, once by its number, whichever run is first."""
        author, key = author_of(Plan.of(proposal)), once(proposal, event, number)
        happening = Happening(event, self.clock(), author.name, author.channel, reason, key)
        if self._ledger.proposals.happen(proposal, happening):
            self.report.count(event)
            self._progress(f"plan {Plan.of(proposal).short_id} {event.replace('_', ' ')}: {reason}")

    def _counted(self, proposal: Proposal) -> Proposal:
        self.report.count(proposal.state.value)
        return proposal

    def _again(self, proposal: Proposal) -> Proposal:
        return self._ledger.proposals.get(proposal.proposal_id)

    @contextmanager
    def _alone(self, what: str) -> Iterator[None]:
        """A block about one thing: whatever it raises is told, and the others are done."""
        try:
            yield
        except Exception as error:
            self.report.problems.append(f"{what}: {said_of(error)}")
            self._progress(self.report.problems[-1])


def _is_answered(about: Iterable[Proposal], key: tuple[str, str], ground: str | None = None) -> bool:
    """True if among the plans about an issue is one that is live, closed by people, or says the same on this ground."""
    same = [(one.state, plan) for one in about if (plan := Plan.of(one)).key == key]
    closed = any(state in (*LIVE, *_CLOSED_BY_PEOPLE) for state, _ in same)
    return closed or any(state in _SAID_ALREADY and plan.ground == ground for state, plan in same)


def author_of(plan: Plan) -> Author:
    """This system, through the channel that says whether anybody was asked."""
    return Author(channel=ladder.AUTOMATIC) if ladder.is_automatic(plan) else Author()


def _held_at(about: Sequence[Proposal], target: str) -> Plan | None:
    """The plan of an issue that holds a state at a target: the next act there would be one too many."""
    held = (Plan.of(one) for one in about if one.state in HOLDING)
    return next((plan for plan in held if plan.target == target), None)

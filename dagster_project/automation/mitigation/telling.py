"""Telling of plans: the same facts as a dictionary, as lines of the command line, and for a ticket's brief."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from dagster_project.automation.actuators.base import canonical
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.proposals import US, Proposal, ProposalEvent, ProposalState, approvals_of
from dagster_project.automation.mitigation.ladder import approvals_needed
from dagster_project.automation.mitigation.plans import Plan

TIERS = {1: "switch a flag", 2: "shift traffic or halt a rollout", 3: "roll a release back"}

_SAID = {
    "proposed": "proposed",
    "approved": "approved",
    "refused": "refused",
    "expired": "expired",
    "voided": "void",
    "begun": "begun",
    "applied": "in force",
    "undone": "undone",
    "failed": "failed",
    "drifted": "no longer as it was set",
    "returned": "as it was set again",
    "reminded": "reminder",
    "escalated": "escalated",
    "waits": "waits for the other system",
    "effective": "it helped",
    "ineffective": "it did not help",
    "not_distinguishable": "whether it helped cannot be told",
    "undo_asked": "undo asked for",
    "undo_offered": "may be undone",
    "undo_refused": "undo refused",
    "vote_not_counted": "a vote that does not count",
}


_NEWS = frozenset(
    _SAID[event]
    for event in (
        *("proposed", "approved", "refused", "expired", "voided", "applied", "undone", "failed", "drifted", "returned"),
        *("escalated", "waits", "effective", "ineffective", "not_distinguishable", "undo_offered", "undo_refused"),
    )
)
"""Events that people are told of in a comment."""


@dataclass(frozen=True)
class PlanFacts:
    """What people are told of one plan."""

    short_id: str
    state: str
    tier: int
    mode: str
    title: str
    item: str
    target: str
    before: str
    desired: str
    preflights: tuple[tuple[str, str, str], ...]
    evidence: tuple[tuple[str, str], ...]
    approvals: tuple[str, ...]
    needed: int
    expires_at: str
    undo: str
    reason: str
    history: tuple[tuple[str, str, str, str], ...]

    @property
    def waits_for(self) -> str:
        """What it waits for, in words; empty if for nothing."""
        if self.state == ProposalState.PROPOSED:
            return f"{len(self.approvals)} of {self.needed} approvals, until {self.expires_at}"
        return ""

    @property
    def story(self) -> list[str]:
        """What happened so far, one line each, without reminders; for comments."""
        return [
            f"Mitigation {self.short_id} ({self.title}): {said}{'' if actor == US else f' by {actor}'}, {at} UTC."
            for at, said, actor, _ in self.history
            if said in _NEWS
        ]

    @property
    def is_open_to_votes(self) -> bool:
        """True if a vote would count."""
        return self.state == ProposalState.PROPOSED

    @property
    def is_in_force(self) -> bool:
        """True if it holds a state."""
        return self.state == ProposalState.IN_FORCE


def facts_of(proposal: Proposal, events: Sequence[ProposalEvent]) -> PlanFacts:
    """The facts about one plan; equal for the same history."""
    plan = Plan.of(proposal)
    answers = {True: "yes", False: "no", None: "unknown"}
    return PlanFacts(
        short_id=plan.short_id,
        state=proposal.state.value,
        tier=plan.tier,
        mode=plan.mode,
        title=plan.title,
        item=plan.item,
        target=plan.target,
        before=canonical(plan.before.state),
        desired=canonical(plan.desired),
        preflights=tuple((one.name.replace("_", " "), answers[one.passed], one.answer) for one in plan.preflights),
        evidence=tuple((name, str(value)) for name, value in sorted(plan.evidence.items()) if value is not None),
        approvals=tuple(approvals_of(events)),
        needed=approvals_needed(plan),
        expires_at=f"{proposal.expires_at:%Y-%m-%d %H:%M} UTC",
        undo=plan.undo,
        reason=proposal.reason,
        history=tuple(
            (f"{one.at:%Y-%m-%d %H:%M}", _SAID.get(one.event, one.event), one.actor, one.reason) for one in events
        ),
    )


def plans_of(ledger: Ledger, issues: Collection[str]) -> dict[str, list[PlanFacts]]:
    """The facts about the plans for each of these issues, oldest first."""
    return {
        issue_id: [facts_of(one, ledger.proposals.events(one.proposal_id)) for one in found]
        for issue_id, found in ledger.proposals.about(issues).items()
    }


def as_dict(proposal: Proposal, events: Sequence[ProposalEvent]) -> dict[str, Any]:
    """A plan for programs; the keys are those of ``fct_mitigations`` where there is such a column."""
    plan, facts = Plan.of(proposal), facts_of(proposal, events)
    return {
        "plan": facts.short_id,
        "plan_id": proposal.proposal_id,
        "issue_id": plan.issue_id,
        "mitigation": plan.mitigation,
        "tier": plan.tier,
        "mode": plan.mode,
        "state": facts.state,
        "target": plan.target,
        "item": plan.item,
        "before": plan.before.state,
        "desired": plan.desired,
        "title": facts.title,
        "waits_for": facts.waits_for,
        "approvals": list(facts.approvals),
        "approvals_needed": facts.needed,
        "preflights": [{"name": one.name, "passed": one.passed, "answer": one.answer} for one in plan.preflights],
        "expires_at": proposal.expires_at.isoformat(),
        "reason": proposal.reason,
        "history": [
            {
                "at": one.at.isoformat(),
                "event": one.event,
                "actor": one.actor,
                "channel": one.channel,
                "reason": one.reason,
            }
            for one in events
        ],
    }


def lines_of(proposal: Proposal, events: Sequence[ProposalEvent], command: str) -> list[str]:
    """A plan as lines, with the commands that are open to people."""
    facts = facts_of(proposal, events)
    lines = [
        f"plan {facts.short_id}  {facts.state.replace('_', ' ')}  tier {facts.tier} ({TIERS[facts.tier]})",
        f"  do      {facts.item} at {facts.target}: {facts.before} -> {facts.desired}",
        *(f"  check   {name}: {passed} ({answer})" for name, passed, answer in facts.preflights),
        *(f"  {at}  {said}  {actor}{f': {reason}' if reason else ''}" for at, said, actor, reason in facts.history),
    ]
    if facts.is_open_to_votes:
        lines.append(f"  waits   for {facts.waits_for}: {command} approve {facts.short_id}")
    if facts.is_in_force:
        lines.append(f"  undo    {command} undo {facts.short_id}")
    return lines

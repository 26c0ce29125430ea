"""Ladder: the pure decision about each plan, what is due next; and the approvals that it needs.

The rules stand in the order in which they apply. Nothing here reads a clock, a ledger or a control system.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from dagster_project.automation.ledger.proposals import Allowance, ProposalState
from dagster_project.automation.mitigation.plans import TIER_3, Plan

AUTOMATIC = "automatic"
"""Channel of the acts that nobody is asked about."""


class Step(StrEnum):
    """Next step for one plan."""

    KEEP = "keep"  # it waits: for people, for the end of a stop
    EXPIRE = "expire"
    VOID = "void"  # its ground moved
    APPROVE = "approve"  # enough people said yes, or none is needed
    ACT = "act"
    SETTLE = "settle"  # an act or an undo is under way
    WATCH = "watch"  # in force: re-read, verify
    UNDO = "undo"
    OFFER_UNDO = "offer undo"


@dataclass(frozen=True)
class Situation:
    """All that the next step of a plan depends on.

    ``moved`` says in words what of its ground moved; ``hindrance`` what keeps an act (stop, limit, breaker) or an
    automatic undo (stop) waiting. ``is_spent`` once it is to be undone: the issue is over, or it did not help.
    """

    state: ProposalState
    now: datetime
    expires_at: datetime
    moved: str = ""
    approvals: int = 0
    hindrance: str = ""
    is_spent: bool = False
    undo_offered: bool = False


def next_step(plan: Plan, situation: Situation) -> Step:
    """Decide the next step for one plan."""
    match situation.state:
        case ProposalState.PROPOSED | ProposalState.APPROVED if situation.now >= situation.expires_at:
            return Step.EXPIRE
        case ProposalState.PROPOSED | ProposalState.APPROVED if situation.moved:
            return Step.VOID
        case ProposalState.PROPOSED if not plan.is_clear:
            return Step.KEEP
        case ProposalState.PROPOSED:
            return Step.APPROVE if situation.approvals >= approvals_needed(plan) else Step.KEEP
        case ProposalState.APPROVED:
            return Step.KEEP if situation.hindrance else Step.ACT
        case ProposalState.APPLYING | ProposalState.UNDOING:
            return Step.SETTLE
        case ProposalState.IN_FORCE if situation.is_spent and plan.undo == "auto":
            return Step.WATCH if situation.hindrance else Step.UNDO
        case ProposalState.IN_FORCE if situation.is_spent and not situation.undo_offered:
            return Step.OFFER_UNDO
        case ProposalState.IN_FORCE:
            return Step.WATCH
    return Step.KEEP


def approvals_needed(plan: Plan) -> int:
    """The number of people, other than the proposer, who have to approve a plan."""
    return approvals_for(mode=plan.mode, tier=plan.tier, critical=plan.critical)


def approvals_for(*, mode: str, tier: int, critical: bool) -> int:
    """The rule behind it: a critical target wants two; tier 3 is never automatic, whatever the mode says."""
    if critical:
        return 2
    return 0 if mode == "auto" and tier < TIER_3 else 1


def is_automatic(plan: Plan) -> bool:
    """True if nobody is asked."""
    return approvals_needed(plan) == 0


def allowances(plan: Plan, most_a_day: int, breaker_after: int, since: datetime) -> tuple[Allowance, ...]:
    """The limits of an automatic act: so many a day, and none for a day after so many that did not help (breaker)."""
    if not is_automatic(plan):
        return ()
    day = f"{most_a_day} automatic acts in a day are the most that the playbook allows"
    breaker = f"breaker: {breaker_after} automatic acts of the last day did not help"
    return (
        Allowance(("begun", "applied"), AUTOMATIC, since, most_a_day, day),
        Allowance(("ineffective",), AUTOMATIC, since, breaker_after, breaker),
    )


def in_the_way(plan: Plan, other: Plan) -> str:
    """What keeps a plan from beginning while another one is held, in words: one act at a time per target and issue."""
    if (plan.target, plan.issue_id) != (other.target, other.issue_id):
        return ""
    return f"plan {other.short_id} for the same issue is in force at {plan.target}; undo it first"


def reminders_due(waited: timedelta, remind: timedelta, escalate: timedelta, people: int) -> tuple[int, int]:
    """The numbers of reminders and of escalations that are due after a plan has waited so long.

    Each of ``people`` is asked in turn, the next one every ``escalate``, and reminded ``remind`` after being asked.
    """
    escalations = min(max(people - 1, 0), int(waited / escalate))
    reminders = sum(waited >= turn * escalate + remind for turn in range(escalations + 1))
    return reminders, escalations

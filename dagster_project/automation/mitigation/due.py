"""Work due: the reason for a mitigation turn now, by what the ledger says of the last one and of every open plan."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from dagster_project import lake
from dagster_project.automation.ledger.intents import Intent, State
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.proposals import Proposal, ProposalEvent, ProposalState
from dagster_project.automation.ledger.turns import CompleteTurn
from dagster_project.automation.mitigation.approvals import votes_in
from dagster_project.automation.mitigation.ladder import reminders_due
from dagster_project.automation.mitigation.orders import destination_of
from dagster_project.automation.mitigation.plans import KIND, Plan
from dagster_project.clock import SKEW
from dagster_project.decisioning.playbook import Playbook
from dagster_project.home import Home

REREAD = timedelta(minutes=5)
"""Wait before what is held is read again, and before an approved plan that something keeps waiting is tried again."""

_AT_LEAST = timedelta(days=1)
"""Longest time between two turns, so that an outage shows."""

_LONGEST = timedelta(hours=1)
"""Longest time that an approved plan, or an act that is under way, should wait."""


def decision_digest(home: Home) -> str:
    """Hash of what the published decision asks for; empty if nothing was published."""
    rows = home.outbound / "out_mitigations.jsonl"
    return hashlib.sha256(rows.read_bytes()).hexdigest() if rows.exists() else ""


def turn_due(home: Home, ledger: Ledger, playbook: Playbook, at: datetime) -> str:
    """The reason for a turn now; empty if the last one did all there was, and nothing has come up since."""
    decision, last = decision_digest(home), ledger.turns.last(KIND)
    if not decision:
        return ""
    if last is None or last.at > at + SKEW:
        return "no turn is complete yet, or the last one stopped"
    if last.decision != decision:
        return "the decision asks for something else"
    for proposal in ledger.proposals.live():
        if reason := _reason(ledger, proposal, playbook, last, at):
            return f"plan {Plan.of(proposal).short_id}: {reason}"
    if _has_votes(home, last.at, at):
        return "a vote has arrived"
    return "a day has passed" if at - last.at >= _AT_LEAST else ""


def _reason(ledger: Ledger, proposal: Proposal, playbook: Playbook, last: CompleteTurn, at: datetime) -> str:
    rested = at - last.at >= REREAD
    match proposal.state:
        case ProposalState.PROPOSED | ProposalState.APPROVED if at >= proposal.expires_at:
            return "it expires"
        case ProposalState.PROPOSED:
            events = ledger.proposals.events(proposal.proposal_id)
            return "people are to be reminded" if _is_reminder_due(proposal, events, playbook, at) else ""
        case ProposalState.APPROVED if rested and ledger.switch.stopped() is None:
            return "it is approved and waits for its act"
        case ProposalState.APPLYING | ProposalState.UNDOING:
            plan = Plan.of(proposal)
            ripe = _is_ripe(ledger.head(plan.plan_id, destination_of(plan.target)), at)
            return "an act is under way" if ripe else ""
        case ProposalState.IN_FORCE if rested:
            return "what it holds is to be read again"
    return ""


def _is_ripe(head: Intent | None, at: datetime) -> bool:
    """True if the next step of an act that is under way can be taken now."""
    if head is None:
        return True
    match head.state:
        case State.SENDING:
            return head.lease_until is None or head.lease_until <= at
        case State.UNKNOWN | State.PENDING | State.REJECTED:
            return head.not_before <= at
    return head.state is not State.HELD


def _is_reminder_due(proposal: Proposal, events: Sequence[ProposalEvent], playbook: Playbook, at: datetime) -> bool:
    settings = playbook.approvals
    due = reminders_due(
        at - proposal.created_at,
        timedelta(minutes=settings.remind_minutes),
        timedelta(minutes=settings.escalate_minutes),
        len(playbook.approvers),
    )
    return any(
        sum(one.event == event for one in events) < number
        for event, number in zip(("reminded", "escalated"), due, strict=True)
    )


def _has_votes(home: Home, since: datetime, at: datetime) -> bool:
    """True if a comment with a vote has landed since then."""
    lake.ensure_table(home, "ticket_events")
    days = [(since + timedelta(days=number)).date() for number in range((at.date() - since.date()).days + 1)]
    new = (pl.col("event") == "comment") & (pl.col("known_at") > since)
    comments = lake.scan_days(home, "ticket_events", days).filter(new).select("value").collect()["value"]
    return any(votes_in(text or "") for text in comments)


def is_overdue(proposal: Proposal, playbook: Playbook, at: datetime) -> bool:
    """True if a plan has waited for longer than it should.

    Of one that is proposed, every approver was asked and the last one reminded; of one that is approved, or whose act
    is under way, an hour has passed.
    """
    settings = playbook.approvals
    if proposal.state is ProposalState.PROPOSED:
        asked = timedelta(minutes=settings.escalate_minutes) * max(len(playbook.approvers) - 1, 0)
        return at - proposal.created_at >= asked + timedelta(minutes=settings.remind_minutes)
    moving = proposal.state is not ProposalState.IN_FORCE
    return moving and at - proposal.updated_at >= _LONGEST

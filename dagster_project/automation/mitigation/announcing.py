"""Events about plans for event sinks: approvals asked for, given and refused, acts in force and undone.

They follow the ledger's events of proposals: the outbox notes how far it was filled, so each is announced once. A sink
gets the events about plans whose issue had one of its priorities when the plan was made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime

from dagster_project.automation.cloudevents import Event, event_of
from dagster_project.automation.destinations import load_destinations
from dagster_project.automation.ledger.event_outbox import Announcement
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.proposals import US, ProposalEvent, ProposalState
from dagster_project.automation.mitigation.ladder import approvals_needed
from dagster_project.automation.mitigation.plans import TIER_3, Plan
from dagster_project.automation.tickets.event_delivery import sinks_of
from dagster_project.home import Home

_VOTES = {"approved": "approval.granted", "refused": "approval.refused"}


def announce_plans(home: Home, ledger: Ledger, now: datetime) -> None:
    """Put what happened to plans since the last time into the outbox of each event sink."""
    sinks, era = sinks_of(load_destinations(home)), ledger.eras()[-1][1]
    while events := ledger.proposals.events_after(after := ledger.event_outbox.announced()):
        announcements = [
            Announcement(sink, event)
            for one in events
            for plan in [Plan.of(ledger.proposals.get(one.proposal_id))]
            for event in _events(one, plan, f"{era}-{one.event_id:09d}")
            for sink, priorities in sinks.items()
            if plan.evidence["priority"] in priorities
        ]
        ledger.event_outbox.announce(announcements, after=after, until=events[-1].event_id, now=now)


def _events(happened: ProposalEvent, plan: Plan, sequence: str) -> Iterator[Event]:
    """The event about what happened to a plan, if it is one that others are told of."""
    if name := _name(happened, plan):
        data = _approval(happened, plan) if name.startswith("approval.") else _act(happened, plan)
        yield event_of(name, _event_id(name, happened), data, happened.at, sequence)


def _name(happened: ProposalEvent, plan: Plan) -> str:
    match happened.event:
        case "proposed" if happened.state == ProposalState.PROPOSED and approvals_needed(plan):
            return "approval.requested"
        case "approved" | "refused" if happened.actor != US:
            return _VOTES[happened.event]
        case "applied":
            return "service.rolledback" if plan.tier == TIER_3 else "environment.modified"
        case "undone":
            return "service.upgraded" if plan.tier == TIER_3 else "environment.modified"
    return ""


def _event_id(name: str, happened: ProposalEvent) -> str:
    """Stable id: a plan is asked about, set and undone once, and a person votes on it once."""
    voter = happened.actor if happened.event in _VOTES else ""
    key = [name, happened.event, happened.proposal_id, voter]
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]


def _plan(plan: Plan) -> dict[str, object]:
    return {
        "issue_id": plan.issue_id,
        "plan_id": plan.plan_id,
        "mitigation": plan.mitigation,
        "tier": plan.tier,
        "priority": plan.evidence["priority"],
        "target": plan.target,
        "item": plan.item,
    }


def _act(happened: ProposalEvent, plan: Plan) -> dict[str, object]:
    undone = happened.event == "undone"
    state = dict(plan.before.state if undone else plan.desired)
    return {**_plan(plan), "change": happened.event, "state": state, "actor": happened.actor}


def _approval(happened: ProposalEvent, plan: Plan) -> dict[str, object]:
    return {
        **_plan(plan),
        "before": dict(plan.before.state),
        "desired": dict(plan.desired),
        "needed": approvals_needed(plan),
        "actor": happened.actor,
        "channel": happened.channel,
        "reason": happened.reason,
        "expires_at": plan.expires_at,
    }

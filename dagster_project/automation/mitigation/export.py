"""Lake export of plans: what happened to each, as rows of ``plan_events``; each row is landed once."""

from __future__ import annotations

import hashlib

from dagster_project import lake
from dagster_project.automation.actuators.base import canonical
from dagster_project.automation.ledger.lake_export import Row, land
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.proposals import Proposal, ProposalEvent
from dagster_project.automation.mitigation.plans import Plan
from dagster_project.home import Home

TABLE = "plan_events"


def export_plans(home: Home, ledger: Ledger) -> int:
    """Land what the lake lacks; returns the number of rows."""
    lake.ensure_table(home, TABLE)
    with lake.lock_table(home, TABLE):
        known = set(lake.scan(home, TABLE).select("event_id").collect()["event_id"])
        rows, last = [], 0
        plans: dict[str, tuple[Proposal, Plan]] = {}
        while events := ledger.proposals.events_after(last):
            last = events[-1].event_id
            for event in events:
                name = _name(event)
                if name in known:
                    continue
                if event.proposal_id not in plans:
                    proposal = ledger.proposals.get(event.proposal_id)
                    plans[event.proposal_id] = proposal, Plan.of(proposal)
                rows.append(_row(name, event, plans[event.proposal_id][1]))
        land(home, TABLE, rows)
    return len(rows)


def _name(event: ProposalEvent) -> str:
    """The id of an event in the lake: a ledger that was put back from a backup gives its number to another one."""
    content = canonical([event.proposal_id, event.event, event.actor, event.reason, event.at.isoformat()])
    return f"{hashlib.sha256(content.encode()).hexdigest()[:16]}-{event.event_id}"


def _row(name: str, event: ProposalEvent, plan: Plan) -> Row:
    return {
        "event_id": name,
        "plan_id": event.proposal_id,
        "issue_id": plan.issue_id,
        "mitigation": plan.mitigation,
        "tier": plan.tier,
        "target": plan.target,
        "item": plan.item,
        "mode": plan.mode,
        "event": event.event,
        "state": event.state,
        "actor": event.actor,
        "channel": event.channel,
        "reason": event.reason,
        "occurred_at": event.at,
        "known_at": event.at,
    }

"""Select the issues to deliver to a destination now: reads the ledger for ``throttling``, and persists umbrellas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dagster_project.automation.destinations.settings import Policy
from dagster_project.automation.ledger.intents import Intent
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.tickets.issues import Issue
from dagster_project.automation.tickets.throttling import (
    STORM,
    Umbrella,
    load_owners,
    named_or_everybody,
    owner_of,
    throttle,
)


@dataclass(frozen=True)
class Selection:
    """Issues and umbrellas to deliver, those that wait for the end of quiet hours, and the newest intents by issue."""

    items: list[Issue | Umbrella]
    waiting: list[Issue]
    heads: dict[str, Intent]


def select_now(
    ledger: Ledger, destination: str, policy: Policy, issues: Sequence[Issue], now: datetime, *, keep: bool
) -> Selection:
    """Select the issues to deliver now. With ``keep``, persist issues newly grouped under an umbrella ticket."""
    umbrellas, owners = ledger.umbrellas, load_owners()
    members = umbrellas.members(destination)
    named = [issue.issue_id for issue in issues if issue.status == "open"]
    heads = ledger.open_heads(destination, named)
    throttled = throttle(
        [one for one in issues if one.issue_id in heads or one.priority in policy.priorities],
        ticketed=heads,
        members=members,
        spent=umbrellas.opened_since(destination, now - timedelta(hours=1)),
        open_umbrellas=umbrellas.begun_since(destination, now - STORM),
        owners=owners,
        destination=destination,
        now=now,
    )
    alone, shared = list(throttled.alone), []
    for umbrella_id, own in throttled.grouped.items():
        if keep and (new := [issue.issue_id for issue in own if issue.issue_id not in members]):
            umbrellas.add(destination, umbrella_id, owner_of(own[0]), new, now)
            members |= umbrellas.members(destination)
        under = [issue for issue in own if members.get(issue.issue_id, None if keep else umbrella_id) == umbrella_id]
        per_hour = named_or_everybody(owners, own[0].owner).tickets_per_hour
        if under:
            shared.append(Umbrella(umbrella_id, owner_of(own[0]), per_hour, tuple(under)))
        alone += [issue for issue in own if keep and issue.issue_id not in members]  # another run was faster
    heads |= ledger.open_heads(destination, [umbrella.issue_id for umbrella in shared])
    return Selection([*alone, *shared], throttled.waiting, heads)

"""What may be delivered to a destination now: ``governing`` decides, the ledger knows who was told what."""

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
    admit,
    load_owners,
    named_or_everybody,
    owner_of,
)


@dataclass(frozen=True)
class Admitted:
    """Issues and umbrellas to deliver, what waits for the end of quiet hours, and the newest intents by issue."""

    items: list[Issue | Umbrella]
    waiting: list[Issue]
    heads: dict[str, Intent]


def admit_now(
    ledger: Ledger, destination: str, policy: Policy, issues: Sequence[Issue], now: datetime, *, keep: bool
) -> Admitted:
    """Who of the queue is to be delivered; ``keep`` remembers who came under an umbrella."""
    owners, members = load_owners(), ledger.umbrella_members(destination)
    spent = ledger.new_tickets(destination, now - timedelta(hours=1))
    named = [issue.issue_id for issue in issues if issue.status == "open"]
    heads = ledger.open_heads(destination, named)
    decided = admit(
        [one for one in issues if one.issue_id in heads or one.priority in policy.priorities],
        ticketed=heads,
        members=members,
        spent=spent,
        storms=ledger.storms(destination, now - STORM),
        owners=owners,
        destination=destination,
        now=now,
    )
    alone, umbrellas = list(decided.alone), []
    for umbrella_id, own in decided.gathered.items():
        if keep and (new := [issue.issue_id for issue in own if issue.issue_id not in members]):
            ledger.gather(destination, umbrella_id, owner_of(own[0]), new, now)
            members |= ledger.umbrella_members(destination)
        under = [issue for issue in own if members.get(issue.issue_id, None if keep else umbrella_id) == umbrella_id]
        per_hour = named_or_everybody(owners, own[0].owner).tickets_per_hour
        if under:
            umbrellas.append(Umbrella(umbrella_id, owner_of(own[0]), per_hour, tuple(under)))
        alone += [issue for issue in own if keep and issue.issue_id not in members]  # another run was faster
    heads |= ledger.open_heads(destination, [umbrella.issue_id for umbrella in umbrellas])
    return Admitted([*alone, *umbrellas], decided.waiting, heads)

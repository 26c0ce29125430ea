"""Approvals: votes of people on plans, from the command line and from comments in tickets.

A vote names a plan by the beginning of its hash. It counts if the hash is unambiguous, the plan waits for it, the
person is an approver of the playbook, and neither proposed the plan nor voted before (four eyes). Every attempt is in
the audit log with its actor, channel and reason, also one that does not count.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.proposals import WAITING, Happening, Proposal, ProposalState, approvals_of
from dagster_project.automation.mitigation.ladder import approvals_needed
from dagster_project.automation.mitigation.plans import FEWEST, Plan
from dagster_project.errors import ConfigurationError

_COMMAND = re.compile(r"^ {0,3}/(approve|refuse)[ \t]+([0-9a-fA-F]+)(?![^\s])[ \t]*(.*)$", re.MULTILINE)
_SHOWN = re.compile(
    r"^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\1|\Z)"  # a block of code in Markdown, closed or not
    r"|\{(code|noformat|quote)[^}\n]*\}.*?(?:\{\2\}|\Z)"  # ... in Jira's markup, and a quotation
    r"|<!--.*?(?:-->|\Z)",
    re.MULTILINE | re.DOTALL,
)
"""Text that shows something to readers, or nothing, and commands nothing."""

_LONGEST = 500
"""Characters of a reason."""


@dataclass(frozen=True)
class Vote:
    """One vote: for or against the plan whose hash begins with ``prefix``.

    ``key`` is an idempotency key, for votes that may be read twice.
    """

    approves: bool
    prefix: str
    person: str
    channel: str
    reason: str = ""
    key: str | None = None


@dataclass(frozen=True)
class Counted:
    """Result of a vote; ``refusal`` says in words why it does not count."""

    proposal: Proposal | None
    said: str
    refusal: bool = False


def find(ledger: Ledger, prefix: str) -> Proposal:
    """The one plan whose hash begins like this.

    Raises:
        ConfigurationError: too short, ambiguous or unknown.
    """
    if len(prefix) < FEWEST:
        raise ConfigurationError(f"'{prefix}' is too short: give at least {FEWEST} characters of the plan's hash")
    found = ledger.proposals.named(prefix)
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(Plan.of(one).short_id for one in found[:5])
        raise ConfigurationError(f"several plans begin with {prefix} ({several}); give more of the hash")
    raise ConfigurationError(f"no plan begins with {prefix}; `feedback-control plans` lists them")


def vote(ledger: Ledger, cast: Vote, approvers: Sequence[str], now: datetime) -> Counted:
    """Count a vote, or say why it does not count."""
    try:
        proposal = find(ledger, cast.prefix)
    except ConfigurationError as error:
        return Counted(None, str(error), refusal=True)
    plan = Plan.of(proposal)
    reason = cast.reason[:_LONGEST]
    event = "approved" if cast.approves else "refused"
    if refusal := _refusal(ledger, proposal, plan, cast, approvers, now):
        happening = Happening("vote_not_counted", now, cast.person, cast.channel, f"{event}: {refusal}", cast.key)
        ledger.proposals.happen(proposal, happening)
        return Counted(proposal, refusal, refusal=True)
    happening = Happening(event, now, cast.person, cast.channel, reason, cast.key, plan.grounds)
    given = len({*approvals_of(ledger.proposals.events(proposal.proposal_id)), cast.person})
    needed = approvals_needed(plan)
    if cast.approves and given < needed:
        ledger.proposals.happen(proposal, happening)
        return Counted(proposal, f"{given} of {needed} approvals of plan {plan.short_id}")
    state = ProposalState.APPROVED if cast.approves else ProposalState.REFUSED
    moved = ledger.proposals.move(proposal, state, happening)
    if moved is None:  # another run moved it since it was found: the vote is counted on what it is now
        return vote(ledger, cast, approvers, now)
    return Counted(moved, f"plan {plan.short_id} is {state}")


def _refusal(
    ledger: Ledger, proposal: Proposal, plan: Plan, cast: Vote, approvers: Sequence[str], now: datetime
) -> str:
    if cast.person not in approvers:
        return f"{cast.person} is no approver of the playbook"
    if proposal.state not in WAITING or (cast.approves and proposal.state is not ProposalState.PROPOSED):
        return f"plan {plan.short_id} is {proposal.state.replace('_', ' ')}"
    if now >= proposal.expires_at:
        return f"plan {plan.short_id} expired at {proposal.expires_at:%Y-%m-%d %H:%M} UTC"
    if not cast.approves:
        return ""
    if cast.person == proposal.proposer:
        return f"{cast.person} proposed plan {plan.short_id}, and somebody else has to approve it"
    if cast.person in approvals_of(ledger.proposals.events(proposal.proposal_id)):
        return f"{cast.person} has approved plan {plan.short_id} already"
    if not plan.is_clear:
        return f"a pre-flight of plan {plan.short_id} failed"
    return ""


def votes_in(text: str) -> list[tuple[bool, str, str]]:
    """The commands in a comment: for or against, hash, reason.

    Each stands at the beginning of a line. What is quoted, in a block of code or in a remark commands nothing.
    """
    said = _SHOWN.sub("", text.replace("\r\n", "\n"))
    return [(verb == "approve", prefix, reason.strip()) for verb, prefix, reason in _COMMAND.findall(said)]


def votes_of_comment(
    comment: Mapping[str, object], destination_kind: str, accounts: Mapping[tuple[str, str], str]
) -> list[Vote]:
    """The votes in a comment of a ticket, a row of ``ticket_events``.

    Args:
        comment: the row.
        destination_kind: the kind of tracker.
        accounts: people by (channel, account) of the playbook, where a channel is a kind of tracker or its name.
    """
    channel, account = str(comment["destination"]), str(comment["actor"])
    person = accounts.get((channel, account)) or accounts.get((destination_kind, account)) or f"{channel}:{account}"
    votes = []
    for number, (approves, prefix, reason) in enumerate(votes_in(str(comment["value"] or ""))):
        key = hashlib.sha256(f"{comment['event_id']} {number}".encode()).hexdigest()
        votes.append(Vote(approves, prefix, person, channel, reason, key))
    return votes

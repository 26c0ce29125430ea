"""Plan: one proposed mitigation of one issue, with the canonical hash of all that an approval is given for.

``Wanted`` is a row of ``out_mitigations``: what the decision asks for. ``plan_of`` joins it with what the control
system says. The hash covers target, state before (word for word, with its version), state after, evidence, pre-flights,
undo and expiry. ``ground_of`` is the part that must not move until the act: a plan whose ground moved is void.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from dagster_project.automation.actuators.base import Preflight, Reading, State, canonical, digest_of
from dagster_project.automation.actuators.config import Target
from dagster_project.automation.ledger.intents import Grounds
from dagster_project.automation.ledger.proposals import Proposal, ProposalState

KIND = "mitigation"
"""The kind of a plan's proposal, and of its intents."""

FEWEST = 6
"""Fewest characters of a plan's hash by which it is named."""

TIER_3 = 3


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One row of ``out_mitigations``: a mitigation that the evidence supports now."""

    issue_id: str
    mitigation: str
    tier: int
    target: str
    item: str
    desired: str
    mode: str
    critical: bool
    product: str
    issue_type: str
    owner: str
    priority: str
    verdict: str
    signals: int
    summary: str
    issue_status: str
    undo: str
    verify_metric: str
    verify_minutes: int
    rollback_supported: bool
    confidence: float | None = None
    service: str | None = None
    scope_platform: str | None = None
    scope_country: str | None = None
    suspect_kind: str | None = None
    suspect_release_id: str | None = None
    suspect_version: str | None = None
    previous_version: str | None = None
    suspect_flag: str | None = None
    rollback_floor: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Issue and mitigation."""
        return self.issue_id, self.mitigation

    @property
    def grounds(self) -> Grounds:
        """The reason for acting, for the audit log."""
        return Grounds(f"{self.priority}, {self.verdict}, {self.signals} signals", self.confidence)


_GROUND = (
    *("verdict", "suspect_kind", "suspect_release_id", "suspect_version", "previous_version", "suspect_flag"),
    *("rollback_floor", "rollback_supported", "tier", "mode", "critical", "undo", "verify_metric", "verify_minutes"),
)
"""Columns of ``Wanted`` that a plan stands on, beside its target, item and states."""

_SHOWN = ("priority", "signals", "confidence")
"""Evidence that a plan shows. It may grow; where it falls below what is needed, the decision no longer asks."""


@dataclass(frozen=True)
class Plan:
    """One proposed mitigation; ``plan_id`` is the hash of its canonical content, which approvals name."""

    issue_id: str
    mitigation: str
    tier: int
    mode: str
    critical: bool
    target: str
    place: str
    item: str
    before: Reading
    desired: State
    evidence: State
    ground: str
    preflights: tuple[Preflight, ...]
    undo: str
    verify_metric: str
    verify_minutes: int
    product: str
    issue_type: str
    owner: str
    summary: str
    proposer: str
    created_at: str
    expires_at: str

    @cached_property
    def content(self) -> str:
        """The whole plan as canonical JSON."""
        return canonical(asdict(self))

    @cached_property
    def plan_id(self) -> str:
        """SHA-256 of the content, hexadecimal."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    @property
    def short_id(self) -> str:
        """Enough of the hash to name the plan by."""
        return short(self.plan_id)

    @property
    def title(self) -> str:
        """One line for people."""
        return f"{self.mitigation}: {self.item} at {self.target} to {canonical(self.desired)}"

    @property
    def is_clear(self) -> bool:
        """True if no pre-flight failed."""
        return all(one.passed is not False for one in self.preflights)

    @property
    def key(self) -> tuple[str, str]:
        """Issue and mitigation."""
        return self.issue_id, self.mitigation

    @property
    def grounds(self) -> Grounds:
        """The reason for acting, for the audit log."""
        said = f"{self.evidence['priority']}, {self.evidence['verdict']}, {self.evidence['signals']} signals"
        return Grounds(said, self.evidence["confidence"])

    @classmethod
    def of(cls, proposal: Proposal) -> Plan:
        """The plan that a proposal holds."""
        content: dict[str, Any] = json.loads(proposal.content)
        content["before"] = Reading(**content["before"])
        content["preflights"] = tuple(Preflight(**one) for one in content["preflights"])
        return cls(**content)

    def proposal(self) -> Proposal:
        """The plan as a new proposal of the ledger; a plan in shadow is recorded and nothing more."""
        created, expires = (datetime.fromisoformat(at) for at in (self.created_at, self.expires_at))
        return Proposal(
            proposal_id=self.plan_id,
            kind=KIND,
            subject_id=self.issue_id,
            place=f"{self.place} {self.item}",
            state=ProposalState.SHADOW if self.mode == "shadow" else ProposalState.PROPOSED,
            content=self.content,
            proposer=self.proposer,
            applied=None,
            reason="",
            moves=0,
            created_at=created,
            expires_at=expires,
            updated_at=created,
        )


def plan_of(
    wanted: Wanted,
    target: Target,
    reading: Reading,
    preflights: tuple[Preflight, ...],
    *,
    proposer: str,
    now: datetime,
    valid: timedelta,
) -> Plan:
    """The plan for what is wanted, from the state that the control system has now."""
    return Plan(
        issue_id=wanted.issue_id,
        mitigation=wanted.mitigation,
        tier=wanted.tier,
        mode=wanted.mode,
        critical=wanted.critical,
        target=wanted.target,
        place=_place(target),
        item=wanted.item,
        before=reading,
        desired=json.loads(wanted.desired),
        evidence={name: getattr(wanted, name) for name in (*_GROUND, *_SHOWN)},
        ground=ground_of(wanted, target, reading),
        preflights=preflights,
        undo=wanted.undo,
        verify_metric=wanted.verify_metric,
        verify_minutes=wanted.verify_minutes,
        product=wanted.product,
        issue_type=wanted.issue_type,
        owner=wanted.owner,
        summary=wanted.summary,
        proposer=proposer,
        created_at=now.astimezone(UTC).isoformat(),
        expires_at=(now + valid).astimezone(UTC).isoformat(),
    )


def ground_of(wanted: Wanted, target: Target, reading: Reading) -> str:
    """Hash of all that must be the same when the plan is acted upon: decision, playbook, target and its state."""
    ground = {name: getattr(wanted, name) for name in _GROUND}
    ground |= {"target": wanted.target, "place": _place(target), "item": wanted.item, "desired": wanted.desired}
    return digest_of({**ground, "before": reading.state, "version": reading.version})


def moved(plan: Plan, wanted: Wanted | None, target: Target, reading: Reading) -> str:
    """What of a plan's ground moved since it was made, in words; empty if nothing did."""
    if wanted is None:
        return "the decision no longer asks for it"
    if ground_of(wanted, target, reading) == plan.ground:
        return ""
    changed = [name for name in _GROUND if getattr(wanted, name) != plan.evidence[name]]
    if changed:
        return f"the evidence or the playbook moved ({', '.join(changed)})"
    if (wanted.target, wanted.item, json.loads(wanted.desired)) != (plan.target, plan.item, plan.desired):
        return "the playbook moved (do)"
    if _place(target) != plan.place:
        return "the playbook moved (the target is elsewhere)"
    return "the state of the target moved"


def short(plan_id: str) -> str:
    """The beginning of a hash: long enough to be named, and with a letter, so that nobody takes it for a number."""
    length = next((n for n in range(FEWEST + 2, len(plan_id)) if not plan_id[:n].isdigit()), len(plan_id))
    return plan_id[:length]


def _place(target: Target) -> str:
    assert target.settings is not None
    return target.settings.place

"""Checks of each target, evaluated by the step of the mitigation turn: reading, waiting plans, drift, approvers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dagster import AssetCheckResult, AssetCheckSeverity, AssetCheckSpec, AssetKey

from dagster_project import display
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.proposals import Proposal, ProposalState
from dagster_project.automation.mitigation import readiness
from dagster_project.automation.mitigation.due import is_overdue
from dagster_project.automation.mitigation.execution import drifts
from dagster_project.automation.mitigation.planner import Targets
from dagster_project.automation.mitigation.plans import Plan
from dagster_project.dagster_metadata import markdown
from dagster_project.decisioning.playbook import Playbook, load_playbook
from dagster_project.errors import said_of
from dagster_project.home import Home
from dagster_project.resources import now

DESCRIPTIONS = {
    "target_readable": "The control system can be used from this home: its entry, its secret, and the items that the"
    " playbook names can be read.",
    "plans_move_on": "No plan waits for its approval after every approver was asked, nor for its act for an hour.",
    "held_states_hold": "What was set is still set: nobody, and no reload, put it back.",
    "approvers_suffice": "For every mitigation that people have to approve there are enough approvers who can.",
    "rehearsed": "A game day has passed with every mitigation that may act, in the last quarter.",
}


def mitigation_key(target: str) -> AssetKey:
    """Asset key of the mitigations at a target."""
    return AssetKey(["mitigations", target])


def check_specs(target: str) -> Iterator[AssetCheckSpec]:
    """The checks of a target's asset."""
    for name, description in DESCRIPTIONS.items():
        yield AssetCheckSpec(name, asset=mitigation_key(target), description=description)


@dataclass(frozen=True)
class Examined:
    """One target, and all that its checks look at."""

    home: Home
    playbook: Playbook
    ledger: Ledger
    target: str

    def live(self) -> list[tuple[Proposal, Plan]]:
        """The open plans at this target."""
        plans = [(one, Plan.of(one)) for one in self.ledger.proposals.live()]
        return [(one, plan) for one, plan in plans if plan.target == self.target]


def check_results(home: Home, target: str) -> Iterator[AssetCheckResult]:
    """The results of all checks; one that raises has failed, with its reason, and the others are evaluated."""
    for name in DESCRIPTIONS:
        try:
            yield _CHECKS[name](Examined(home, load_playbook(home.playbook), Ledger.of(home), target))
        except Exception as error:
            yield _result(name, target, False, {"could not be evaluated": said_of(error)})


def target_readable(at: Examined) -> AssetCheckResult:
    """A target that cannot be read can neither be acted on nor watched: `feedback-control doctor`."""
    targets = Targets(at.home, at.playbook)
    try:
        problems = list(readiness.target_problems(at.playbook, targets.get(at.target)))
    finally:
        targets.close()
    read = ", ".join(readiness.known_items(at.playbook, at.target)) or "none: every item depends on the issue"
    return _result("target_readable", at.target, not problems, {"problems": _list(problems), "items read": read})


def plans_move_on(at: Examined) -> AssetCheckResult:
    """A plan that nobody answers helps nobody: `feedback-control plans`."""
    late = [
        {"plan": plan.short_id, "state": one.state.value, "issue": plan.issue_id, "since": str(one.updated_at)}
        for one, plan in at.live()
        if is_overdue(one, at.playbook, now())
    ]
    stop = at.ledger.switch.stopped()
    shown: dict[str, Any] = {"count": len(late), "plans": markdown(display.markdown_table(late) or "none")}
    if stop:
        shown["acts are stopped"] = f"by {stop.actor}: {stop.reason}"
    return _result("plans_move_on", at.target, not late, shown)


def held_states_hold(at: Examined) -> AssetCheckResult:
    """Drift is told and never overwritten: a person decides."""
    held = [(one, plan) for one, plan in at.live() if one.state is ProposalState.IN_FORCE]
    gone = [
        {"plan": plan.short_id, "item": plan.item, "issue": plan.issue_id, "what": drift.reason}
        for one, plan in held
        if (drift := drifts(at.ledger.proposals.events(one.proposal_id)))
    ]
    shown = {"held": len(held), "drifted": markdown(display.markdown_table(gone) or "none")}
    return _result("held_states_hold", at.target, not gone, shown)


def approvers_suffice(at: Examined) -> AssetCheckResult:
    """Without approvers a plan waits until it expires: `feedback-control approvers list`."""
    tokens = at.ledger.access_tokens.names()
    problems = list(readiness.approver_problems(at.playbook, at.target, tokens))
    able = ", ".join(readiness.voters(at.playbook, tokens)) or "none"
    return _result("approvers_suffice", at.target, not problems, {"problems": _list(problems), "approvers": able})


def rehearsed(at: Examined) -> AssetCheckResult:
    """What was never rehearsed is rehearsed in the incident: `feedback-control gameday`."""
    acting, in_shadow = readiness.unrehearsed(at.home, at.playbook, at.target, now())
    shown = {"not rehearsed": ", ".join(acting) or "none", "not rehearsed, in shadow": ", ".join(in_shadow) or "none"}
    result = _result("rehearsed", at.target, not acting, shown)
    return result._replace(severity=AssetCheckSeverity.WARN)


_CHECKS: Mapping[str, Callable[[Examined], AssetCheckResult]] = {
    "target_readable": target_readable,
    "plans_move_on": plans_move_on,
    "held_states_hold": held_states_hold,
    "approvers_suffice": approvers_suffice,
    "rehearsed": rehearsed,
}


def _list(lines: list[str]) -> Any:
    return markdown(display.outline(lines) or "none")


def _result(name: str, target: str, passed: bool, metadata: Mapping[str, Any]) -> AssetCheckResult:
    return AssetCheckResult(asset_key=mitigation_key(target), check_name=name, passed=passed, metadata=dict(metadata))

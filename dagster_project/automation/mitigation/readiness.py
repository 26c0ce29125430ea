"""Readiness: what would keep a mitigation from being carried out, found without writing anything."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from datetime import datetime

from pydantic import BaseModel

from dagster_project.automation.actuators.config import Target
from dagster_project.automation.mitigation.ladder import approvals_for
from dagster_project.decisioning.mitigations import Mitigation
from dagster_project.decisioning.playbook import Playbook
from dagster_project.errors import said_of
from dagster_project.home import Home
from dagster_project.rehearsed import not_rehearsed


def mitigations_at(playbook: Playbook, target: str) -> dict[str, Mitigation]:
    """The mitigations of the playbook that act on a target."""
    return {name: one for name, one in playbook.mitigations.items() if one.do.target == target}


def target_problems(playbook: Playbook, target: Target) -> Iterator[str]:
    """What is wrong with a target: its entry, the kind of home, a secret, and each item that is known and not readable.

    Which item a placeholder stands for is known once there is an issue. What is in shadow needs no item yet.
    """
    if target.actuator is None or target.settings is None:
        yield target.broken
        return
    if unset := list(unset_secrets(target.settings)):
        for setting, variable in unset:
            yield f"the environment variable {variable} ({setting}) is not set; export {variable}=…"
        return
    for item in known_items(playbook, target.name):
        try:
            target.actuator.read(item)
        except Exception as error:
            yield f"{item} cannot be read: {said_of(error)}"


def known_items(playbook: Playbook, target: str) -> list[str]:
    """The items of a target that the playbook names without a placeholder, for mitigations that may act."""
    acting = (one for one in mitigations_at(playbook, target).values() if one.mode != "shadow")
    return sorted({one.do.item for one in acting if "{" not in one.do.item})


def unset_secrets(settings: BaseModel) -> Iterator[tuple[str, str]]:
    """Settings that name the variable of a secret (``*_env``), where that is not set."""
    for setting, variable in settings.model_dump().items():
        if setting.endswith("_env") and variable and not os.environ.get(variable, "").strip():
            yield setting, variable


def voters(playbook: Playbook, tokens: Collection[str]) -> list[str]:
    """The approvers who have a way to vote: a token, or an account in a tracker."""
    return [name for name, approver in playbook.approvers.items() if name in tokens or approver.accounts]


def approver_problems(playbook: Playbook, target: str, tokens: Collection[str]) -> Iterator[str]:
    """The mitigations at a target that more people have to approve than can."""
    able = len(voters(playbook, tokens))
    for name, mitigation in mitigations_at(playbook, target).items():
        critical = playbook.targets[target].critical
        needed = approvals_for(mode=mitigation.mode, tier=mitigation.tier, critical=critical)
        if mitigation.mode != "shadow" and needed > able:
            yield f"{name} needs {needed} to approve it, and {able or 'none'} of the playbook's approvers can"


def unrehearsed(home: Home, playbook: Playbook, target: str, now: datetime) -> tuple[list[str], list[str]]:
    """The mitigations at a target that no game day has passed with in a quarter: those that may act, and the others."""
    at = mitigations_at(playbook, target)
    missing = not_rehearsed(home.reports / "game_day", at, now)
    in_shadow = [name for name in missing if at[name].mode == "shadow"]
    return [name for name in missing if name not in in_shadow], in_shadow

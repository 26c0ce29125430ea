"""Planner: the plan for what the decision asks for, from a fresh reading of its target, with the pre-flights."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from dagster_project.automation.actuators.base import Actuator, Closeable, Preflight, Previews, Reading
from dagster_project.automation.actuators.config import Target, desired_problem, load_target
from dagster_project.automation.ledger.proposals import US
from dagster_project.automation.mitigation.plans import TIER_3, Plan, Wanted, moved, plan_of
from dagster_project.automation.outcomes import DeliveryError
from dagster_project.decisioning.playbook import Playbook
from dagster_project.errors import ConfigurationError, said_of
from dagster_project.home import Home


class Targets:
    """The targets of a playbook, each loaded when it is asked for."""

    def __init__(self, home: Home, playbook: Playbook) -> None:
        self._home, self._playbook = home, playbook
        self._loaded: dict[str, Target] = {}

    def get(self, name: str) -> Target:
        """One target; broken where it cannot be used."""
        if name not in self._loaded:
            entry = self._playbook.targets.get(name)
            missing = Target(name, None, None, f"targets.{name} is not in the playbook")
            self._loaded[name] = load_target(self._home, name, entry.entry) if entry else missing
        return self._loaded[name]

    def all(self) -> list[Target]:
        """Every target of the playbook."""
        return [self.get(name) for name in self._playbook.targets]

    def close(self) -> None:
        """Release their connections."""
        actuators: list[object] = [target.actuator for target in self._loaded.values()]
        for actuator in actuators:
            if isinstance(actuator, Closeable):
                with suppress(Exception):
                    actuator.close()


class Planner:
    """Planner of one turn."""

    def __init__(self, targets: Targets, valid: timedelta, clock: Callable[[], datetime]) -> None:
        self._targets, self._valid, self._clock = targets, valid, clock

    def plan(self, wanted: Wanted, proposer: str = US) -> Plan | None:
        """The plan for what is wanted; None if the item has the desired state already.

        Raises:
            ConfigurationError: the target cannot be used. In shadow that is a failed pre-flight instead.
        """
        target = self._targets.get(wanted.target)
        try:
            reading, preflights = _examine(wanted, target)
        except (DeliveryError, ConfigurationError) as error:
            if wanted.mode != "shadow" or target.settings is None:
                raise ConfigurationError(f"target {wanted.target}: {error}") from None
            reading = Reading(wanted.item, {})
            preflights = (Preflight("target_reachable", False, said_of(error)),)
        else:
            if target.actuator and target.actuator.shows(reading, _state(wanted)):
                return None
        now = self._clock()
        return plan_of(wanted, target, reading, preflights, proposer=proposer, now=now, valid=self._valid)

    def moved(self, plan: Plan, wanted: Wanted | None) -> str:
        """What of a plan's ground moved, by the decision, the playbook and a fresh reading; empty if nothing did."""
        target = self._targets.get(plan.target)
        if target.actuator is None:
            return f"target {plan.target}: {target.broken}"
        reading = target.actuator.read(plan.item)
        said = moved(plan, wanted, target, reading)
        if said or wanted is None:
            return said
        failed, before = _failed(_preflights(wanted, target.actuator, reading)), _failed(plan.preflights)
        changed = ", ".join(failed.get(name, f"{name} passes") for name in sorted(failed.keys() ^ before.keys()))
        return f"the pre-flights moved ({changed})" if changed else ""


def _failed(preflights: Iterable[Preflight]) -> dict[str, str]:
    """The pre-flights that failed, by name, each with its answer."""
    return {one.name: f"{one.name}: {one.answer}" for one in preflights if one.passed is False}


def _examine(wanted: Wanted, target: Target) -> tuple[Reading, tuple[Preflight, ...]]:
    """A reading of the item, and the pre-flights."""
    if target.actuator is None or target.settings is None:
        raise ConfigurationError(target.broken)
    desired = _state(wanted)
    if problem := desired_problem(target.settings, desired):
        raise ConfigurationError(f"mitigations.{wanted.mitigation}.do.set.{problem}")
    reading = target.actuator.read(wanted.item)
    return reading, _preflights(wanted, target.actuator, reading)


def _preflights(wanted: Wanted, actuator: Actuator, reading: Reading) -> tuple[Preflight, ...]:
    """The answers to all that is asked before an act."""
    found = [Preflight("target_reachable", True, "it answers, and has the item")]
    found += actuator.preflights(wanted.item, _state(wanted), reading)
    if wanted.tier == TIER_3:
        found.append(_schema_floor(wanted))
    if isinstance(actuator, Previews):
        found.append(_dry_run(actuator, wanted, reading))
    return tuple(found)


def _state(wanted: Wanted) -> dict[str, Any]:
    """The desired state."""
    state: dict[str, Any] = json.loads(wanted.desired)
    return state


def _schema_floor(wanted: Wanted) -> Preflight:
    """Pre-flight: the version to go back to can work with the present schema."""
    if wanted.rollback_floor is None or wanted.previous_version is None:
        return Preflight("schema_floor", None, "the release names no rollback_floor: check the schema by hand")
    fits = _version_key(wanted.previous_version) >= _version_key(wanted.rollback_floor)
    answer = f"{wanted.previous_version} is {'at or above' if fits else 'below'} the floor {wanted.rollback_floor}"
    return Preflight("schema_floor", fits, answer)


def _version_key(version: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts versions by their numbers."""
    parts = re.findall(r"\d+|[A-Za-z]+", version)
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in parts)


def _dry_run(actuator: Previews, wanted: Wanted, reading: Reading) -> Preflight:
    """Pre-flight: the system's own dry run."""
    try:
        actuator.dry_run(wanted.item, _state(wanted), reading)
    except DeliveryError as error:
        return Preflight("dry_run", False, str(error))
    return Preflight("dry_run", True, "accepted")

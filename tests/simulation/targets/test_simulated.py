"""Simulated control systems meet the contract of actuators, and each of their faults is what it says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dagster_project.automation.actuators.base import (
    Actuator,
    AwaitingApproval,
    Conflict,
    State,
    VerifiesEffect,
)
from dagster_project.automation.actuators.config import desired_problem
from dagster_project.automation.actuators.local import LocalControl
from dagster_project.automation.outcomes import (
    Confirmed,
    Deferred,
    DeliveryError,
    NotSent,
    Rejected,
    Unknown,
    outcome_of,
)
from dagster_project.files import write_json
from dagster_project.simulation.targets.simulated import Fault, SimulatedControl, target_of

NOW = datetime(2026, 11, 23, tzinfo=UTC)
NOTE = "plan 3fa9c2 for issue ISS-1"
FLAG, ROUTE, RELEASE = "flags/new-checkout", "traffic/checkout", "releases/android"
ITEMS: dict[str, State] = {
    FLAG: {"enabled": True, "rollout": 50},
    ROUTE: {"weights": {"stable": 90, "canary": 10}},
    RELEASE: {"version": "5.2.0", "halted": False},
}
ACTS: dict[str, dict[str, Any]] = {
    FLAG: {"enabled": False},
    ROUTE: {"weights": {"canary": 0}},
    RELEASE: {"version": "5.1.4"},
}


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


def control(**settings: Any) -> SimulatedControl:
    return SimulatedControl(dict(ITEMS), **settings)


def local(folder: Path) -> LocalControl:
    """The embedded control system with the same items: whatever holds of one holds of the other."""
    content: dict[str, dict[str, State]] = {}
    for item, state in ITEMS.items():
        group, name = item.split("/")
        content.setdefault(group, {})[name] = state
    write_json(folder / "control.json", content)
    return LocalControl(folder / "control.json")


@pytest.fixture(params=["simulated", "local"])
def actuator(request: pytest.FixtureRequest, tmp_path: Path) -> Actuator:
    return control() if request.param == "simulated" else local(tmp_path)


@pytest.mark.parametrize("item", ITEMS)
def test_what_is_applied_is_read_back_and_restored_word_for_word(actuator: Actuator, item: str) -> None:
    before = actuator.read(item)
    assert before.state == ITEMS[item]
    assert not actuator.shows(before, ACTS[item])
    applied = actuator.apply(item, ACTS[item], before, NOTE)
    assert actuator.shows(applied, ACTS[item]) and actuator.read(item) == applied
    assert actuator.apply(item, ACTS[item], before, NOTE) == applied
    assert actuator.restore(before, applied, NOTE).state == ITEMS[item]
    assert actuator.restore(before, applied, NOTE).state == ITEMS[item]
    assert isinstance(actuator, VerifiesEffect)
    assert actuator.effect(item, ACTS[item]) is False


@pytest.mark.parametrize("item", ITEMS)
def test_a_state_that_somebody_changed_is_a_conflict_and_stays(actuator: Actuator, item: str) -> None:
    before = actuator.read(item)
    theirs = actuator.apply(item, {"variant": "theirs"}, before, "a person")
    with pytest.raises(Conflict) as caught:
        actuator.apply(item, ACTS[item], before, NOTE)
    assert caught.value.now == theirs == actuator.read(item)
    applied = actuator.apply(item, ACTS[item], theirs, NOTE)
    changed = actuator.apply(item, {"variant": "again"}, applied, "a person")
    with pytest.raises(Conflict):
        actuator.restore(theirs, applied, NOTE)
    assert actuator.read(item) == changed


def test_an_item_that_is_not_there_is_refused(actuator: Actuator) -> None:
    outcome = outcome_of(lambda: actuator.read("flags/unknown"))
    assert isinstance(outcome, Rejected)


def test_no_traffic_for_anybody_fails_a_preflight(actuator: Actuator) -> None:
    (asked,) = actuator.preflights(ROUTE, {"weights": {"stable": 0, "canary": 0}}, actuator.read(ROUTE))
    assert (asked.name, asked.passed) == ("receiver_healthy", False)
    assert actuator.preflights(FLAG, ACTS[FLAG], actuator.read(FLAG)) == ()


def test_repeating_an_act_writes_once_and_the_journal_has_what_and_why() -> None:
    there = control()
    before = there.read(FLAG)
    for _ in range(3):
        there.apply(FLAG, ACTS[FLAG], before, NOTE)
    (write,) = there.journal
    assert (write.step, write.at, write.item) == (2, datetime(2026, 1, 1, tzinfo=UTC), FLAG)
    assert (write.before, write.after, write.note) == (ITEMS[FLAG], {"enabled": False, "rollout": 50}, NOTE)
    assert (there.writes(FLAG), there.writes(RELEASE)) == (1, 0)


@pytest.mark.parametrize(
    ("fault", "outcome", "writes", "is_set"),
    [
        (Fault.DOWN, NotSent, 0, False),
        (Fault.BUSY, Deferred, 0, False),
        (Fault.REFUSED, Rejected, 0, False),
        (Fault.LOST_REQUEST, Unknown, 0, False),
        (Fault.LOST_ANSWER, Unknown, 1, True),
        (Fault.SLOW, Unknown, 1, False),
        (Fault.CHANGED, Rejected, 0, False),
        (Fault.AWAITING_APPROVAL, Deferred, 0, False),
        (Fault.REVERTED, Confirmed, 1, False),
    ],
)
def test_a_fault_is_what_it_says_at_its_step_alone(fault: Fault, outcome: type, writes: int, is_set: bool) -> None:
    there = control(faults={2: fault}, clock=Clock(), settle_seconds=5)
    before = there.read(FLAG)
    found = outcome_of(lambda: there.apply(FLAG, ACTS[FLAG], before, NOTE))
    assert isinstance(found, outcome), found
    assert there.writes(FLAG) == writes
    assert there.shows(there.read(FLAG), ACTS[FLAG]) is is_set
    if fault not in (Fault.SLOW, Fault.CHANGED):
        assert there.shows(there.apply(FLAG, ACTS[FLAG], before, NOTE), ACTS[FLAG])
        assert there.writes(FLAG) == writes + (not is_set)


def test_every_fault_is_tested() -> None:
    marks = test_a_fault_is_what_it_says_at_its_step_alone.pytestmark  # type: ignore[attr-defined]
    assert {case[0] for case in marks[0].args[1]} == set(Fault)


def test_a_slow_write_shows_after_the_settle_time() -> None:
    clock = Clock()
    there = control(faults={2: Fault.SLOW}, clock=clock, settle_seconds=5)
    before = there.read(FLAG)
    assert isinstance(outcome_of(lambda: there.apply(FLAG, ACTS[FLAG], before, NOTE)), Unknown)
    clock.now += timedelta(seconds=4)
    assert there.read(FLAG) == before
    clock.now += timedelta(seconds=1)
    assert there.shows(there.read(FLAG), ACTS[FLAG])
    assert there.writes(FLAG) == 1


def test_an_approval_of_its_own_comes_with_its_link() -> None:
    there = control(faults={2: Fault.AWAITING_APPROVAL})
    with pytest.raises(AwaitingApproval) as caught:
        there.apply(FLAG, ACTS[FLAG], there.read(FLAG), NOTE)
    assert caught.value.url.startswith("https://control.example.com/")


def test_an_outage_fails_every_call_and_says_no_effect() -> None:
    there = control(outage=True)
    for item in (FLAG, ROUTE):
        with pytest.raises(DeliveryError) as caught:
            there.read(item)
        assert isinstance(caught.value.outcome, NotSent)
    assert there.effect(FLAG, {"enabled": True}) is None
    there.outage = False
    assert there.effect(FLAG, {"enabled": True}) is True


def test_a_tick_is_told_of_every_step_before_it_happens() -> None:
    steps: list[int] = []
    there = control()

    def tick(step: int) -> None:
        steps.append(step)
        if step == 2:
            there.person_sets(FLAG, enabled=False)

    there.tick = tick
    before = there.read(FLAG)
    applied = there.apply(FLAG, ACTS[FLAG], before, NOTE)
    assert steps == [1, 2]
    assert there.shows(applied, ACTS[FLAG]) and there.journal == []


def test_it_stands_for_a_configured_target() -> None:
    there = control(name="flags")
    target = target_of(there, environment="staging", critical=True)
    assert (target.name, target.broken, target.actuator) == ("flags", "", there)
    assert target.settings is not None
    assert (target.settings.place, target.settings.critical) == ("simulated", True)
    assert desired_problem(target.settings, {"enabled": False}) == ""
    assert "unknown" in desired_problem(target.settings, {"unknown": 1})

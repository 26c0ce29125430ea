"""Contract of actuators whose write is guarded by the read before: one suite, with simulated systems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from dagster_project.automation.actuators.base import Actuator, Conflict, VerifiesEffect, canonical
from dagster_project.automation.outcomes import Confirmed, Deferred, NotSent, Rejected, Unknown, outcome_of

OUTCOMES = {
    "refused": NotSent,
    "timeout before": Unknown,
    "500 before": Unknown,
    "429": Deferred,
    "timeout after": Unknown,
    "reset after": Unknown,
    "500 after": Unknown,
}
"""Outcome of a write by its fault."""


@dataclass
class Subject:
    """An actuator, and its simulated system seen from outside."""

    actuator: Actuator
    item: str
    desired: dict[str, Any]
    world: Callable[[], Any]
    """All that the system holds, word for word."""
    somebody: Callable[[], Any]
    """Somebody changes the item, to neither the state before nor the desired one."""
    undone: Callable[[], Any]
    """Something puts the state back: a reload, a restart, a deployment."""
    faults: dict[str, Callable[[], Any]] = field(default_factory=dict)
    """Plans a fault of ``OUTCOMES`` for the next write; none where a write cannot be lost."""
    makes_effect: Callable[[], Any] = lambda: None
    """Lets customers see what is in force."""


class Contract:
    """The suite; a subclass in a test module gets the fixture ``subject`` of that module."""

    def test_reads_word_for_word_and_the_same_twice(self, subject: Subject) -> None:
        first, second = subject.actuator.read(subject.item), subject.actuator.read(subject.item)
        assert first == second and first.digest == second.digest and first.item == first.external_id == subject.item
        assert not subject.actuator.shows(first, subject.desired)
        canonical(first.state)  # JSON, as the ledger keeps it

    def test_an_act_is_read_back_and_a_second_one_is_the_same_state(self, subject: Subject) -> None:
        target, before = subject.actuator, subject.actuator.read(subject.item)
        applied = target.apply(subject.item, subject.desired, before, "plan 3fa9c2")
        assert target.shows(applied, subject.desired) and applied == target.read(subject.item)
        world = canonical(subject.world())
        assert target.apply(subject.item, subject.desired, before, "again") == applied
        assert target.apply(subject.item, subject.desired, applied, "and again") == applied
        assert canonical(subject.world()) == world

    def test_an_undo_restores_the_very_state_before(self, subject: Subject) -> None:
        target, world = subject.actuator, canonical(subject.world())
        before = target.read(subject.item)
        applied = target.apply(subject.item, subject.desired, before, "plan 3fa9c2")
        assert canonical(subject.world()) != world
        for _ in range(2):
            assert target.restore(before, applied, "undo") == before
        assert canonical(subject.world()) == world

    def test_what_somebody_changed_between_is_a_conflict_and_stays(self, subject: Subject) -> None:
        target, before = subject.actuator, subject.actuator.read(subject.item)
        subject.somebody()
        world = canonical(subject.world())
        with pytest.raises(Conflict) as conflict:
            target.apply(subject.item, subject.desired, before, "plan 3fa9c2")
        assert conflict.value.now == target.read(subject.item)
        assert isinstance(conflict.value.outcome, Rejected) and canonical(subject.world()) == world

    def test_what_somebody_changed_after_the_act_is_not_undone(self, subject: Subject) -> None:
        target, before = subject.actuator, subject.actuator.read(subject.item)
        applied = target.apply(subject.item, subject.desired, before, "plan 3fa9c2")
        subject.somebody()
        world = canonical(subject.world())
        with pytest.raises(Conflict):
            target.restore(before, applied, "undo")
        assert canonical(subject.world()) == world

    def test_a_state_that_was_put_back_is_seen_as_drifted(self, subject: Subject) -> None:
        target, before = subject.actuator, subject.actuator.read(subject.item)
        applied = target.apply(subject.item, subject.desired, before, "plan 3fa9c2")
        subject.undone()
        now = target.read(subject.item)
        assert not target.shows(now, subject.desired) and now.digest == before.digest != applied.digest

    def test_a_second_path_tells_what_is_in_force(self, subject: Subject) -> None:
        target = subject.actuator
        assert isinstance(target, VerifiesEffect)
        subject.makes_effect()
        assert target.effect(subject.item, subject.desired) is False
        target.apply(subject.item, subject.desired, target.read(subject.item), "plan 3fa9c2")
        subject.makes_effect()
        assert target.effect(subject.item, subject.desired) is True

    def test_an_item_that_is_not_there_is_refused(self, subject: Subject) -> None:
        for item in ("nobody", "no body\nset", "../x"):
            outcome = outcome_of(lambda item=item: subject.actuator.read(item))  # type: ignore[misc]
            assert isinstance(outcome, Rejected) and not outcome.whole_destination, outcome

    def test_after_a_lost_answer_a_read_settles_what_is_there(self, subject: Subject) -> None:
        if not subject.faults:
            pytest.skip("a write to a file cannot be lost")
        target, before = subject.actuator, subject.actuator.read(subject.item)
        applied = target.apply(subject.item, subject.desired, before, "plan 3fa9c2")
        target.restore(before, applied, "undo")
        acts = {
            "apply": lambda: target.apply(subject.item, subject.desired, before, "plan 3fa9c2"),
            "restore": lambda: target.restore(before, applied, "undo"),
        }
        for fault, plan in subject.faults.items():
            for name, act in acts.items():
                was = target.read(subject.item)
                plan()
                assert type(outcome_of(act)) is OUTCOMES[fault], (name, fault)
                made = target.read(subject.item).digest != was.digest
                assert made is fault.endswith("after"), (name, fault)
                assert isinstance(outcome_of(act), Confirmed), (name, fault)
        assert target.read(subject.item) == before

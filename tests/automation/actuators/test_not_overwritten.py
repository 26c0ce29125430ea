"""Somebody made the desired state meanwhile, and more beside it: a conflict, so that no undo overwrites that."""

from __future__ import annotations

from typing import Any

import pytest

from dagster_project.automation.actuators.base import Conflict
from tests.automation.actuators.fake_aws import LISTENER, FakeElbV2
from tests.automation.actuators.fake_kubernetes import FakeKubernetes
from tests.automation.actuators.subjects import subject_of

AWAY = {"weights": {"canary": 0}}


def at_elbv2() -> tuple[Any, str]:
    return FakeElbV2(), LISTENER


def at_gateway() -> tuple[Any, str]:
    return FakeKubernetes(), "checkout"


@pytest.mark.parametrize(("kind", "make"), [("elbv2", at_elbv2), ("gateway_route", at_gateway)])
def test_what_somebody_set_beside_the_desired_state_is_a_conflict(
    kind: str, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, (system, item) = subject_of(kind), make()
    for variable, value in subject.secrets:
        monkeypatch.setenv(variable, value)
    target = subject.actuator(system)
    before = target.read(item)
    applied = target.apply(item, AWAY, before, "by a person")
    assert target.apply(item, AWAY, before, "again") == applied, "what the act itself leaves is no conflict"
    system.tamper()
    world = system.state()
    with pytest.raises(Conflict):
        target.apply(item, AWAY, before, "plan 3fa9c2")
    assert target.shows(target.read(item), AWAY) and system.state() == world

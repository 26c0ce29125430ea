"""The embedded control system: the contract, and the file that applications read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dagster_project.automation.actuators.config import load_target
from dagster_project.automation.outcomes import Rejected, outcome_of
from dagster_project.home import Home
from tests.automation.actuators.contract import Contract, Subject

CONTENT: dict[str, Any] = {
    "flags": {"new-checkout": {"enabled": True, "variant": "blue"}},
    "traffic": {"checkout": {"weights": {"stable": 90, "canary": 10}}},
    "releases": {"android": {"version": "5.2.0", "halted": False}},
    "notes": ["an application's own, which stays as it is"],
}
ITEMS: dict[str, dict[str, Any]] = {
    "flags/new-checkout": {"enabled": False},
    "traffic/checkout": {"weights": {"canary": 0}},
    "releases/android": {"version": "5.1.0"},
}


@pytest.fixture(params=ITEMS)
def subject(request: pytest.FixtureRequest, home: Home) -> Subject:
    """One item of each group."""
    file = home.root / "control.json"
    file.write_text(json.dumps(CONTENT))
    target = load_target(home, "control", {"kind": "local", "file": "control.json"})
    assert target.actuator is not None
    group, name = request.param.split("/")

    def edit(**changed: Any) -> None:
        content = json.loads(file.read_text())
        content[group][name] = {**CONTENT[group][name], **changed}
        file.write_text(json.dumps(content))

    return Subject(
        target.actuator,
        request.param,
        ITEMS[request.param],
        world=lambda: json.loads(file.read_text()),
        somebody=lambda: edit(owner="dana"),
        undone=edit,
    )


class TestLocal(Contract):
    """A file as a control system."""


def test_nobody_left_is_a_failed_preflight(subject: Subject) -> None:
    desired = {"weights": {"stable": 0, "canary": 0}}
    rows = subject.actuator.preflights(subject.item, desired, subject.actuator.read(subject.item))
    assert [(row.name, row.passed) for row in rows] == [("receiver_healthy", False)]


@pytest.mark.parametrize("text", ["", "[]", '{"flags": 1}', "{"])
def test_a_file_that_cannot_be_read_names_itself(home: Home, text: str) -> None:
    file = Path(home.root / "control.json")
    file.write_text(text)
    target = load_target(home, "control", {"kind": "local", "file": "control.json"})
    assert target.actuator is not None
    actuator = target.actuator
    outcome = outcome_of(lambda: actuator.read("flags/new-checkout"))
    assert isinstance(outcome, Rejected) and str(file) in outcome.reason

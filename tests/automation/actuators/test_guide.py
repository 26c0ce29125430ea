"""The examples in docs/control_systems.md: targets that load, an actuator that keeps the contract, a receiver."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import certifi
import httpx
import pytest
import yaml

from dagster_project.automation.actuators.base import Actuator, Conflict
from dagster_project.automation.actuators.config import KINDS, load_target
from dagster_project.automation.actuators.webhook import WebhookControl, WebhookTargetSettings
from dagster_project.home import Home
from tests.automation.actuators import test_contract
from tests.automation.actuators.fake_control_webhook import SECRET
from tests.automation.actuators.subjects import Subject
from tests.automation.unreliable import AFTER, Unreliable

GUIDE = (Path(__file__).parents[3] / "docs" / "control_systems.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def code(having: str) -> dict[str, Any]:
    """The names of the Python example that has these words."""
    (text,) = (one for one in blocks("python") if having in one)
    names: dict[str, Any] = {"__name__": "guide"}
    exec(compile(text, "docs/control_systems.md", "exec", dont_inherit=True), names)
    return names


# ---------- the example targets


def examples() -> dict[str, dict[str, Any]]:
    (content,) = (read for text in blocks("yaml") if "targets" in (read := yaml.safe_load(text)))
    targets: dict[str, dict[str, Any]] = content["targets"]
    return targets


def test_every_kind_has_an_example_that_loads(home: Home) -> None:
    shutil.copy(certifi.where(), home.root / "kube-ca.pem")
    loaded = [load_target(home, name, entry) for name, entry in examples().items()]
    assert {one.name: one.broken for one in loaded} == dict.fromkeys(examples(), "")
    assert {one.settings.kind for one in loaded if one.settings} == {*KINDS}  # type: ignore[attr-defined]
    for one in loaded:
        assert one.actuator is not None and one.actuator.name == one.name
        for protocol_method in ("read", "shows", "apply", "restore", "preflights"):
            assert callable(getattr(one.actuator, protocol_method))


def test_a_certificate_that_is_not_there_breaks_that_target_alone(home: Home) -> None:
    target = load_target(home, "cluster", examples()["cluster"])
    assert target.actuator is None and target.broken.startswith("targets.cluster.ca_file: ")


@pytest.mark.parametrize("name", sorted(set(examples()) - {"control"}))
def test_no_example_acts_from_a_home_of_another_kind(home: Home, name: str) -> None:
    target = load_target(home, name, {**examples()[name], "environment": "staging"})
    assert target.actuator is None and "environment: production" in target.broken


def test_the_address_of_a_target_may_hold_no_secret_and_is_encrypted(home: Home) -> None:
    for url in ("http://argocd.acme.example", "https://user:secret@argocd.acme.example"):
        target = load_target(home, "delivery", {"kind": "argo_cd", "base_url": url})
        assert target.actuator is None and target.broken.startswith("targets.delivery.base_url: ")


# ---------- the example actuator


@dataclass
class FakeBoard(Unreliable):
    """The switchboard that the guide speaks of."""

    switches: dict[str, Any] = field(default_factory=lambda: {"north": {"on": True, "label": "North"}})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as the board does."""
        self.requests.append(request)
        if request.headers.get("authorization") != "Bearer planted-board":
            return httpx.Response(401, text="who are you?")
        name = request.url.path.rpartition("/")[2]
        if name not in self.switches:
            return httpx.Response(404, text="no such switch")
        if request.method == "GET":
            return httpx.Response(200, json=self.switches[name])
        return self.unreliably(request, lambda: self._set(name, json.loads(request.content)))

    def state(self) -> dict[str, Any]:
        """The switches."""
        return {name: {**switch} for name, switch in self.switches.items()}

    def tamper(self) -> None:
        """A person renames it."""
        self.switches["north"]["label"] = "Changed"

    def _set(self, name: str, body: dict[str, Any]) -> httpx.Response:
        self.switches[name] = {"on": body["on"], "label": body["label"]}
        return httpx.Response(200, json=self.switches[name])


@dataclass(frozen=True)
class Guided(Subject):
    """The guide's own code as a subject."""

    names: ClassVar[dict[str, Any]] = code("Switchboard")

    def actuator(self, target: Callable[[httpx.Request], httpx.Response], **changed: Any) -> Any:
        entry = {"name": "board", "base_url": "https://board.example", **changed}
        settings = self.names["SwitchboardSettings"](**entry)
        return self.names["Switchboard"](settings, transport=httpx.MockTransport(target))


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Guided:
    monkeypatch.setenv("SWITCHBOARD_TOKEN", "planted-board")
    return Guided("switchboard", FakeBoard, ("SWITCHBOARD_TOKEN", "planted-board"), "north", {"on": False})


def test_the_guides_actuator_keeps_the_contract(board: Guided, monkeypatch: pytest.MonkeyPatch) -> None:
    test_contract.test_a_reading_is_the_state_word_for_word_and_reading_changes_nothing(board)
    test_contract.test_apply_sets_the_desired_state_and_returns_what_is_there(board)
    test_contract.test_apply_twice_is_one_state(board)
    test_contract.test_a_state_that_somebody_changed_is_a_conflict_and_is_never_overwritten(board)
    test_contract.test_restore_gives_the_very_state_before(board)
    test_contract.test_an_act_that_somebody_changed_since_is_not_undone(board)
    test_contract.test_a_failed_read_after_the_write_leaves_it_unknown(board)
    test_contract.test_no_item_leaves_its_place_in_the_path(board, "..")
    test_contract.test_a_secret_that_is_wrong_or_missing_is_named(board, "wrong", monkeypatch)


@pytest.mark.parametrize("fault", AFTER)
def test_the_guides_actuator_settles_a_lost_answer(board: Guided, fault: str) -> None:
    test_contract.test_a_lost_answer_is_unknown_and_a_later_read_settles_it(board, fault)


# ---------- the example receiver


def test_the_guides_receiver_and_the_webhook_understand_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTROL_WEBHOOK_SECRET", SECRET)
    names = code("def receive")

    def served(request: httpx.Request) -> httpx.Response:
        item, headers = request.url.params.get("item", ""), dict(request.headers)
        status, content = names["receive"](request.method, item, request.content, headers, SECRET)
        return httpx.Response(status, json=content)

    settings = WebhookTargetSettings.model_validate({"name": "ops", "base_url": "https://ops.acme.example/control"})
    there: Actuator = WebhookControl(settings, transport=httpx.MockTransport(served))
    before = there.read("north")
    applied = there.apply("north", {"drained": True}, before, "plan 3fa9c2")
    assert names["POOLS"] == {"north": {"drained": True, "limit": 100}}
    assert there.restore(before, applied, "plan 3fa9c2").state == before.state
    names["POOLS"]["north"] = {"drained": False, "limit": 7}
    with pytest.raises(Conflict):
        there.apply("north", {"drained": True}, before, "plan 3fa9c2")

"""Actuators of flags: the contract, and what makes a flag that was switched off stay on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from dagster_project.automation.actuators.base import AwaitingApproval
from dagster_project.automation.actuators.config import desired_problem, load_target
from dagster_project.automation.actuators.flagd_file import FlagdFile, FlagdFileSettings
from dagster_project.automation.actuators.unleash import Unleash, UnleashSettings
from dagster_project.automation.outcomes import Deferred, Rejected, outcome_of
from dagster_project.home import Home
from tests.automation import descriptions
from tests.automation.actuators.contract import OUTCOMES, Contract, Subject
from tests.automation.actuators.fake_unleash import CLIENT, TOKEN, FakeUnleash

OFF = {"enabled": False}
TARGETED = {
    "state": "ENABLED",
    "variants": {"on": True, "off": False},
    "defaultVariant": "on",
    "targeting": {"if": [{"in": [{"var": "country"}, ["DE", "AT"]]}, "on", "off"]},
}
FILE = json.dumps({"$schema": "s", "flags": {"checkout": TARGETED, "Größe": TARGETED}}, indent=3, ensure_ascii=False)


def unleash(folder: Path, stack: ExitStack) -> Subject:
    fake = FakeUnleash()
    return unleash_subject(fake, stack)


def unleash_subject(fake: FakeUnleash, stack: ExitStack) -> Subject:
    entry = {"kind": "unleash", "name": "flags", "base_url": "https://flags.example"}
    settings = UnleashSettings.model_validate({**entry, "client_token_env": "UNLEASH_CLIENT_TOKEN"})
    actuator = Unleash(settings, transport=httpx.MockTransport(fake))
    stack.callback(actuator.close)
    return Subject(
        actuator,
        "checkout",
        OFF,
        world=lambda: [fake.enabled, fake.strategies],
        somebody=lambda: fake.strategies[0].update(title="mine"),
        undone=lambda: setattr(fake, "enabled", True),
        faults={fault: lambda fault=fault: setattr(fake, "fault", fault) for fault in OUTCOMES},  # type: ignore[misc]
    )


def ofrep(file: Path, answers: list[httpx.Request]) -> Any:
    """A flagd that serves the file: targeting, then the default variant, for a customer of whom nothing is known."""

    def answer(request: httpx.Request) -> httpx.Response:
        answers.append(request)
        flag = json.loads(file.read_text())["flags"].get(request.url.path.rpartition("/")[2])
        if flag is None:
            return httpx.Response(404, json={"errorCode": "FLAG_NOT_FOUND"})
        variant = "off" if flag.get("targeting") else flag["defaultVariant"]
        variant = "on" if flag.get("targeting") == {"if": [True, "on", "off"]} else variant
        return httpx.Response(200, json={"key": "checkout", "variant": variant, "value": flag["variants"][variant]})

    return answer


def flags_of(file: Path, transport: httpx.BaseTransport | None = None, **settings: str) -> FlagdFile:
    """The actuator of a file."""
    entry = {"kind": "flagd_file", "name": "flags", "file": str(file), **settings}
    return FlagdFile(FlagdFileSettings.model_validate(entry), file, transport=transport)


def flagd(folder: Path, stack: ExitStack) -> Subject:
    file = folder / "flags.json"
    flags = json.loads(FILE)
    flags["flags"]["checkout"]["targeting"] = {"if": [True, "on", "off"]}
    text = json.dumps(flags, indent=3, ensure_ascii=False)
    file.write_text(text)
    actuator = flags_of(file, httpx.MockTransport(ofrep(file, [])), ofrep_url="http://127.0.0.1:8016")
    stack.callback(actuator.close)
    return Subject(
        actuator,
        "checkout",
        OFF,
        world=file.read_text,
        somebody=lambda: changed(file, metadata={"owner": "jo"}),
        undone=lambda: file.write_text(text),
    )


def changed(file: Path, **fields: Any) -> None:
    """Somebody edits the flag."""
    content = json.loads(file.read_text())
    content["flags"]["checkout"].update(fields)
    file.write_text(json.dumps(content, indent=3, ensure_ascii=False))


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNLEASH_TOKEN", TOKEN)
    monkeypatch.setenv("UNLEASH_CLIENT_TOKEN", CLIENT)


@pytest.fixture(params=[unleash, flagd], ids=lambda make: make.__name__)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    with ExitStack() as stack:
        yield request.param(tmp_path, stack)


class TestFlags(Contract):
    """The contract."""


# ---------- Unleash


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


def test_unleash_403_of_change_requests_the_plan_waits_there(stack: ExitStack) -> None:
    fake = FakeUnleash(change_requests=True)
    target = unleash_subject(fake, stack).actuator
    before = target.read("checkout")
    with pytest.raises(AwaitingApproval) as waits:
        target.apply("checkout", OFF, before, "plan 3fa9c2")
    assert waits.value.url == "https://flags.example/projects/default/features/checkout"
    assert isinstance(waits.value.outcome, Deferred) and "change request" in str(waits.value)
    assert fake.enabled and target.read("checkout") == before
    (unknown,) = target.preflights("checkout", OFF, before)
    assert (unknown.name, unknown.passed) == ("no_other_approval", None)


def test_unleash_never_adds_a_strategy(stack: ExitStack) -> None:
    fake = FakeUnleash(enabled=False, strategies=[])
    target = unleash_subject(fake, stack).actuator
    outcome = outcome_of(lambda: target.apply("checkout", {"enabled": True}, target.read("checkout"), ""))
    assert isinstance(outcome, Rejected) and "no active strategy" in outcome.reason
    assert not fake.enabled and not fake.writes


def test_unleash_the_token_goes_without_a_scheme_and_its_variable_is_named_when_it_is_wrong(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeUnleash()
    target = unleash_subject(fake, stack).actuator
    target.read("checkout")
    assert fake.requests[-1].headers["authorization"] == TOKEN
    monkeypatch.setenv("UNLEASH_TOKEN", "wrong")
    outcome = outcome_of(lambda: target.read("checkout"))
    assert isinstance(outcome, Rejected) and outcome.whole_destination and "UNLEASH_TOKEN" in outcome.reason


def test_unleash_without_a_clients_token_the_effect_cannot_be_told(stack: ExitStack) -> None:
    fake = FakeUnleash()
    entry = {"kind": "unleash", "name": "flags", "base_url": "https://flags.example"}
    target = Unleash(UnleashSettings.model_validate(entry), transport=httpx.MockTransport(fake))
    stack.callback(target.close)
    assert target.effect("checkout", OFF) is None and not fake.requests


@descriptions.needs("unleash-8.2.0")
def test_unleash_requests_are_as_its_description_says(stack: ExitStack) -> None:
    fake = FakeUnleash()
    target: Any = unleash_subject(fake, stack).actuator
    before = target.read("checkout")
    applied = target.apply("checkout", OFF, before, "")
    target.effect("checkout", OFF)
    target.restore(before, applied, "")
    assert {request.url.path.rpartition("/")[2] for request in fake.requests} == {"checkout", "off", "on", "features"}
    for request in fake.requests:
        descriptions.check("unleash-8.2.0", "https://flags.example", request)
    with pytest.raises(Exception, match=r"(?i)path not found"):
        wrong = httpx.Request("POST", "https://flags.example/api/admin/projects/default/features/checkout/off")
        descriptions.check("unleash-8.2.0", "https://flags.example", wrong)


# ---------- flagd's file


def test_a_flag_with_targeting_is_really_off(tmp_path: Path, stack: ExitStack) -> None:
    core = pytest.importorskip("openfeature.contrib.tools.flagd.core", reason="openfeature-flagd-core is not installed")
    context = pytest.importorskip("openfeature.evaluation_context").EvaluationContext
    file = tmp_path / "flags.json"
    file.write_text(FILE)

    def values() -> list[bool]:
        evaluator = core.FlagdCore()
        evaluator.set_flags(file.read_text())
        return [
            evaluator.resolve_boolean_value("checkout", True, context(attributes={"country": country})).value
            for country in ("DE", "AT", "FR")
        ]

    target = flags_of(file)
    before = target.read("checkout")
    assert values() == [True, True, False]
    changed(file, defaultVariant="off")
    assert values() == [True, True, False], "the trap: targeting overrides the default"
    file.write_text(FILE)
    assert target.effect("checkout", {"enabled": True}) is False, "a customer of whom nothing is known"
    applied = target.apply("checkout", OFF, before, "plan 3fa9c2")
    assert values() == [False, False, False] and target.effect("checkout", OFF) is True
    target.restore(before, applied, "undo")
    assert values() == [True, True, False] and file.read_text() == FILE


def test_flagd_everybody_gets_one_variant_and_a_disabled_flag_is_enabled(tmp_path: Path) -> None:
    file = tmp_path / "flags.json"
    file.write_text(FILE)
    changed(file, state="DISABLED", variants={"old": "a", "new": "b"}, defaultVariant="new")
    target = flags_of(file, off_variant="old")
    before = target.read("checkout")
    applied = target.apply("checkout", OFF, before, "")
    assert applied.state == {
        "state": "ENABLED",
        "variants": {"old": "a", "new": "b"},
        "defaultVariant": "old",
        "targeting": {},
    }
    assert target.shows(applied, {"enabled": True, "variant": "old"}) and not target.shows(before, OFF)
    outcome = outcome_of(lambda: target.apply("checkout", {"enabled": True}, applied, ""))
    assert isinstance(outcome, Rejected) and "has no variant on; it has new, old" in outcome.reason


def test_flagd_a_flag_that_shows_it_already_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "flags.json"
    file.write_text(FILE)
    changed(file, defaultVariant="off", targeting={})
    target = flags_of(file)
    text, stamp = file.read_text(), file.stat().st_mtime_ns
    target.apply("checkout", OFF, target.read("checkout"), "")
    assert file.read_text() == text and file.stat().st_mtime_ns == stamp


@pytest.mark.parametrize("content", [None, "", "{", '{"flags": []}', "[]", "5"])
def test_flagd_a_broken_file_refuses_the_whole_target(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "flags.json"
    if content is not None:
        file.write_text(content)
    outcome = outcome_of(lambda: flags_of(file).read("checkout"))
    assert isinstance(outcome, Rejected) and outcome.whole_destination and str(file) in outcome.reason


def test_flagd_asks_ofrep_as_its_description_says(tmp_path: Path, stack: ExitStack) -> None:
    file, asked = tmp_path / "flags.json", list[httpx.Request]()
    file.write_text(FILE)
    target = flags_of(file, httpx.MockTransport(ofrep(file, asked)), ofrep_url="http://127.0.0.1:8016")
    stack.callback(target.close)
    assert target.effect("checkout", OFF) is True and target.effect("nobody", OFF) is None
    assert json.loads(asked[0].content) == {"context": {"targetingKey": "feedback-control"}}
    asked[0].headers["X-API-Key"] = "flagd wants none"
    descriptions.check("ofrep", "/", asked[0])


def test_entries_of_the_playbook(home: Home) -> None:
    assert "targets.flags.file" in load_target(home, "flags", {"kind": "flagd_file", "file": "flags.yaml"}).broken
    assert "targets.flags.base_url" in load_target(home, "flags", {"kind": "unleash", "base_url": "http://x.y"}).broken
    for entry in (
        {"kind": "flagd_file", "file": "flags.json"},
        {"kind": "unleash", "base_url": "https://flags.example"},
    ):
        found = load_target(home, "flags", entry)
        assert not found.broken and found.settings and desired_problem(found.settings, OFF) == ""
        assert desired_problem(found.settings, {"weights": {}})

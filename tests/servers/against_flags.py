"""Against real flags: Unleash, and flagd's evaluator on a watched file; with faults on the way, and with kills.

Not part of ``make test``: `make test-servers` installs what this needs, and runs it.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dagster_project.automation.actuators.base import Conflict
from dagster_project.automation.outcomes import Rejected, outcome_of
from tests.servers.acts import actuator, after_kills, assert_faults_are_told, seen, through_faults
from tests.servers.processes import TOOLS, eventually
from tests.servers.stories import FAULTS, needs_tools
from tests.servers.unleash_server import ADMIN, CLIENT, UNLEASH, FlagServer, unleash

OFF = {"enabled": False}
EVALUATOR = TOOLS / "flagd" / "bin" / "python"
TARGETED = {
    "state": "ENABLED",
    "variants": {"on": True, "off": False},
    "defaultVariant": "on",
    "targeting": {"if": [{"in": [{"var": "country"}, ["DE", "AT"]]}, "on", "off"]},
}

needs_evaluator = pytest.mark.skipif(not EVALUATOR.exists(), reason="run `make test-servers`")


# ---------- Unleash


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlagServer]:
    if not UNLEASH.exists():
        pytest.skip("no Unleash is installed: run `make test-servers`")
    with unleash(tmp_path_factory.mktemp("unleash")) as found, pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNLEASH_TOKEN", ADMIN)
        patch.setenv("UNLEASH_CLIENT_TOKEN", CLIENT)
        yield found


def of(flags: FlagServer) -> dict[str, Any]:
    entry = {"kind": "unleash", "name": "flags", "base_url": flags.url, "settle_seconds": 0}
    return {**entry, "client_token_env": "UNLEASH_CLIENT_TOKEN"}


def test_unleash_a_flag_is_off_for_clients_and_an_undo_restores_the_very_state(flags: FlagServer) -> None:
    flags.make_flag("checkout")
    target, path = actuator(of(flags)), "/projects/default/features/checkout/environments/production"
    before = target.read("checkout")
    (strategy,) = before.state["strategies"]
    assert before.state["enabled"] and strategy["segments"] and strategy["constraints"] and strategy["variants"]
    assert flags.clients_see("checkout") and seen(target, "checkout", OFF) is False
    applied = target.apply("checkout", OFF, before, "plan 3fa9c2")
    assert target.apply("checkout", OFF, before, "again") == applied
    assert flags.switches("checkout") == ["enabled", "disabled"]
    began = time.monotonic()
    assert eventually(lambda: not flags.clients_see("checkout"), 5)
    print(f"unleash: off for clients after {time.monotonic() - began:.2f} s")
    assert eventually(lambda: seen(target, "checkout", OFF) is True, 5)
    assert applied.state == {**before.state, "enabled": False}

    flags.admin("POST", f"{path}/on")
    assert not target.shows(target.read("checkout"), OFF), "somebody switched it on again: drifted"
    flags.admin("PATCH", f"{path}/strategies/{strategy['id']}", [{"op": "replace", "path": "/title", "value": "mine"}])
    with pytest.raises(Conflict):
        target.apply("checkout", OFF, before, "again")
    with pytest.raises(Conflict):
        target.restore(before, applied, "undo")
    assert eventually(lambda: flags.clients_see("checkout"), 5), "a person's change is never overwritten"

    now = target.read("checkout")
    off_again = target.apply("checkout", OFF, now, "plan 77aa01")
    assert eventually(lambda: not flags.clients_see("checkout"), 5)
    assert target.restore(now, off_again, "undo") == now == target.read("checkout")
    assert eventually(lambda: flags.clients_see("checkout"), 5)


def test_unleash_refuses_what_it_would_widen_and_says_whose_secret_is_wrong(
    flags: FlagServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags.admin("POST", "/projects/default/features", {"name": "bare", "type": "release"})
    target = actuator(of(flags))
    before = target.read("bare")
    outcome = outcome_of(lambda: target.apply("bare", {"enabled": True}, before, ""))
    assert isinstance(outcome, Rejected) and "no active strategy" in outcome.reason
    assert target.read("bare") == before and not before.state["strategies"]
    missing = outcome_of(lambda: target.read("nobodys-flag"))
    assert isinstance(missing, Rejected) and not missing.whole_destination
    monkeypatch.setenv("UNLEASH_TOKEN", "wrong")
    wrong = outcome_of(lambda: actuator(of(flags)).read("bare"))
    assert isinstance(wrong, Rejected) and wrong.whole_destination and "UNLEASH_TOKEN" in wrong.reason


@needs_tools
def test_unleash_through_faults(flags: FlagServer, tmp_path: Path) -> None:
    flags.make_flag("faults")
    assert_faults_are_told(through_faults(tmp_path, of(flags), flags.url, "faults", OFF))
    assert flags.switches("faults") == ["enabled", *["disabled", "enabled"] * len(FAULTS)], "each act once"


def test_unleash_killed_while_switching_the_state_is_the_one_before_or_after(flags: FlagServer) -> None:
    flags.make_flag("kills")
    after_kills(of(flags), "kills", OFF)


# ---------- flagd's evaluator


@dataclass
class Evaluator:
    """flagd's own evaluator, which watches a file in a process of its own, as an application does."""

    process: subprocess.Popen[str]

    def value(self, flag: str, default: bool, **context: str) -> bool:
        """What an application with that default gets, for that customer."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps([flag, default, context]) + "\n")
        self.process.stdin.flush()
        return bool(json.loads(self.process.stdout.readline()))


@contextmanager
def evaluator(file: Path) -> Iterator[Evaluator]:
    command = [str(EVALUATOR), str(Path(__file__).with_name("flagd_evaluator.py")), str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Evaluator(process)
        finally:
            process.kill()


@needs_evaluator
def test_a_flag_with_targeting_is_really_off(tmp_path: Path) -> None:
    file = tmp_path / "flags.json"
    deployed = {"$schema": "https://flagd.dev/schema/v0/flags.json", "flags": {"checkout": TARGETED}}
    file.write_text(json.dumps(deployed, indent=2) + "\n")
    target = actuator({"kind": "flagd_file", "name": "flags", "file": str(file)})
    before, countries = target.read("checkout"), ("DE", "AT", "FR")

    with evaluator(file) as applications:

        def values(default: bool = True) -> list[bool]:
            return [applications.value("checkout", default, country=country) for country in countries]

        def becomes(*expected: bool) -> bool:
            return eventually(lambda: values() == list(expected), 10)

        assert becomes(True, True, False)
        file.write_text(json.dumps({"flags": {"checkout": {**TARGETED, "defaultVariant": "off"}, "read": TARGETED}}))
        assert eventually(lambda: applications.value("read", False, country="DE"), 10)
        assert values() == [True, True, False], "the trap: targeting overrides the default"
        file.write_text(json.dumps({"flags": {"checkout": {**TARGETED, "state": "DISABLED"}}}))
        assert becomes(True, True, True), "the trap: a disabled flag is what the caller's default says"
        file.write_text(json.dumps(deployed, indent=2) + "\n")
        assert becomes(True, True, False)

        applied = target.apply("checkout", OFF, before, "plan 3fa9c2")
        assert becomes(False, False, False) and values(default=False) == [False] * 3
        assert target.apply("checkout", OFF, before, "again") == applied
        with pytest.raises(Conflict):
            target.apply("checkout", {"enabled": True}, before, "on a stale reading")
        file.write_text(json.dumps({"flags": {"checkout": {**applied.state, "targeting": TARGETED["targeting"]}}}))
        assert not target.shows(target.read("checkout"), OFF), "somebody put the targeting back: drifted"
        with pytest.raises(Conflict):
            target.restore(before, applied, "undo")
        file.write_text(json.dumps({**deployed, "flags": {"checkout": dict(applied.state)}}, indent=2) + "\n")
        assert target.restore(before, applied, "undo") == before
        assert becomes(True, True, False)
    assert json.loads(file.read_text()) == deployed and file.read_text() == json.dumps(deployed, indent=2) + "\n"


def test_flagd_file_killed_while_writing_the_state_is_the_one_before_or_after(tmp_path: Path) -> None:
    file = tmp_path / "flags.json"
    others = {f"flag-{number}": TARGETED for number in range(300)}
    file.write_text(json.dumps({"flags": {**others, "checkout": TARGETED}}, indent=2))
    after_kills({"kind": "flagd_file", "name": "flags", "file": str(file)}, "checkout", OFF)
    assert json.loads(file.read_text()) == {"flags": {**others, "checkout": TARGETED}}

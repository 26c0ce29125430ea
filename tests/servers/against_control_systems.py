"""Against real control systems: act, effect by a second path, drift, undo; with faults on the way, and with kills.

Not part of ``make test``: `make test-servers` installs what this needs, and runs it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dagster_project.automation.actuators.base import Actuator, Closeable, Conflict, Reading, VerifiesEffect
from dagster_project.automation.actuators.config import KINDS
from dagster_project.automation.actuators.traefik_file import TraefikFile
from dagster_project.automation.outcomes import Deferred, DeliveryError, Rejected, Unknown, outcome_of
from dagster_project.home import Home
from tests.servers.acting import act
from tests.servers.control_systems import ADMIN, BALANCERS, CLIENT, UNLEASH, Balancer, FlagServer, Shop, shop, unleash
from tests.servers.processes import TOOLS, eventually
from tests.servers.stories import FAULTS, faulty, needs_tools

KILLS = min(int(os.environ.get("KILLS", "100")), 100)
"""Number of acts to kill at each control system; fewer to try the rest."""
REQUESTS = 300
AWAY = {"weights": {"canary": 0}}
OFF = {"enabled": False}
EVALUATOR = TOOLS / "flagd" / "bin" / "python"
TARGETED = {
    "state": "ENABLED",
    "variants": {"on": True, "off": False},
    "defaultVariant": "on",
    "targeting": {"if": [{"in": [{"var": "country"}, ["DE", "AT"]]}, "on", "off"]},
}

needs_evaluator = pytest.mark.skipif(not EVALUATOR.exists(), reason="run `make test-servers`")


_OPEN = ExitStack()


def actuator(entry: dict[str, Any], **settings: Any) -> Actuator:
    """The actuator of an entry, as a turn builds it; its connections are closed after the test."""
    built = KINDS[entry["kind"]].model_validate({**entry, **settings}).build(Home.locate(Path("unused")))
    if isinstance(built, Closeable):
        _OPEN.callback(built.close)
    return built


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    with _OPEN:
        yield


def seen(target: Actuator, item: str, desired: dict[str, Any]) -> bool | None:
    """The effect, by the target's own second path."""
    assert isinstance(target, VerifiesEffect)
    return target.effect(item, desired)


# ---------- load balancers


@pytest.fixture
def customers() -> Iterator[Shop]:
    with shop() as found:
        yield found


@pytest.fixture(params=BALANCERS)
def balancer(request: pytest.FixtureRequest, customers: Shop, tmp_path: Path) -> Iterator[Balancer]:
    program, runs = BALANCERS[request.param]
    if program is None:
        pytest.skip(f"no {request.param} is installed: run `make test-servers`")
    with runs(tmp_path, customers) as found:
        assert eventually(lambda: customers.ask(10)["failed"] == 0, 10)
        yield found


def settled(target: Actuator, customers: Shop, canary: int) -> dict[str, int]:
    """Requests by backend, once the canary's weight had the time to come into force."""
    if isinstance(target, TraefikFile):
        assert eventually(lambda: target.effect("shop", {"weights": {"canary": canary}}) is True, 10)
    assert eventually(lambda: (customers.ask(50)["canary"] == 0) is (canary == 0), 10)
    return customers.ask(REQUESTS)


def test_a_shift_is_seen_in_requests_and_an_undo_restores_the_very_state(balancer: Balancer, customers: Shop) -> None:
    target = actuator(balancer.entry)
    before, split = target.read("shop"), customers.ask(REQUESTS)
    assert split["failed"] == 0 and 0.05 < split["canary"] / REQUESTS < 0.2
    assert [one.passed for one in target.preflights("shop", AWAY, before)] == [True]
    applied = target.apply("shop", AWAY, before, "plan 3fa9c2")
    assert target.shows(applied, AWAY) and not target.shows(before, AWAY)
    shifted = settled(target, customers, 0)
    assert shifted == {"stable": REQUESTS, "canary": 0, "failed": 0}
    with customers.busy():
        assert seen(target, "shop", AWAY) is True
        assert seen(target, "shop", {"weights": {"stable": 50, "canary": 50}}) is False
    assert target.apply("shop", AWAY, before, "again") == applied

    balancer.somebody_sets(50)
    now = target.read("shop")
    assert not target.shows(now, AWAY) and now.digest not in (before.digest, applied.digest)
    with pytest.raises(Conflict) as conflict:
        target.restore(before, applied, "undo")
    assert conflict.value.now == now == target.read("shop"), "a person's change is never overwritten"
    with pytest.raises(Conflict):
        target.apply("shop", AWAY, before, "again")
    assert target.read("shop") == now

    balancer.somebody_sets(0)
    assert target.read("shop").digest == applied.digest
    restored = target.restore(before, applied, "undo")
    assert restored == before == target.read("shop") == target.restore(before, applied, "undo again")
    back = settled(target, customers, 10)
    assert back["failed"] == 0 and 0.05 < back["canary"] / REQUESTS < 0.2
    print(f"{balancer.entry['kind']}: {split} -> {shifted} -> {back}")


def test_a_reload_undoes_a_shift_drifted(balancer: Balancer, customers: Shop) -> None:
    target = actuator(balancer.entry)
    before = target.read("shop")
    applied = target.apply("shop", AWAY, before, "plan 3fa9c2")
    assert settled(target, customers, 0)["canary"] == 0
    balancer.reload()
    back = settled(target, customers, 10)
    now = target.read("shop")
    assert not target.shows(now, AWAY) and now.digest == before.digest != applied.digest
    assert target.restore(before, applied, "undo") == before, "what is to be restored is there already"
    assert target.apply("shop", AWAY, now, "held again") == applied
    print(f"{balancer.entry['kind']}: a reload brought the canary {back['canary']} of {REQUESTS} requests")


def test_weight_to_0_refused_while_the_receiver_is_down(balancer: Balancer, customers: Shop) -> None:
    target = actuator(balancer.entry)
    before = target.read("shop")
    customers.stable.down()

    def refused() -> bool:
        return [one.passed for one in target.preflights("shop", AWAY, before)] == [False]

    assert eventually(refused, 10), target.preflights("shop", AWAY, before)
    (failed,) = target.preflights("shop", AWAY, before)
    assert failed.name == "receiver_healthy" and "stable" in failed.answer
    outcome = outcome_of(lambda: target.apply("shop", AWAY, before, "plan 3fa9c2"))
    assert isinstance(outcome, Rejected) and "stable" in outcome.reason
    assert target.read("shop") == before and customers.ask(100)["canary"] > 0
    customers.stable.up()
    assert eventually(lambda: not refused(), 10)
    assert target.shows(target.apply("shop", AWAY, before, "plan 3fa9c2"), AWAY)


def test_weights_of_nobody_are_refused(balancer: Balancer) -> None:
    target = actuator(balancer.entry)
    before = target.read("shop")
    for item, desired in (
        ("shop", {"weights": {"blue": 0}}),
        ("shop", {"weights": {"canary": 0, "stable": 0}}),
        ("nobody", AWAY),
    ):
        outcome = outcome_of(lambda item=item, desired=desired: target.apply(item, desired, target.read(item), ""))  # type: ignore[misc]
        assert isinstance(outcome, Rejected), outcome
    assert target.read("shop") == before


def test_haproxy_drains_and_says_what_it_refuses(customers: Shop, tmp_path: Path) -> None:
    program, runs = BALANCERS["haproxy"]
    if program is None:
        pytest.skip("no haproxy is installed: run `make test-servers`")
    drained = {"states": {"canary": "drain"}}
    with runs(tmp_path, customers) as found:
        assert eventually(lambda: customers.ask(10)["failed"] == 0, 10)
        target = actuator(found.entry)
        before = target.read("shop")
        applied = target.apply("shop", drained, before, "plan 3fa9c2")
        assert customers.ask(REQUESTS) == {"stable": REQUESTS, "canary": 0, "failed": 0}
        with customers.busy():
            assert seen(target, "shop", drained) is True
        assert target.restore(before, applied, "undo") == before and customers.ask(REQUESTS)["canary"] > 0
        fixed = target.read("fixed")
        for desired, by, said in (
            ({"weights": {"canary": 5}}, target, "static LB algorithm"),
            (AWAY, actuator(found.entry, socket=found.entry["socket"].removesuffix("s") + "o"), "Permission denied"),
        ):
            outcome = outcome_of(lambda by=by, desired=desired: by.apply("fixed", desired, fixed, ""))  # type: ignore[misc]
            assert isinstance(outcome, Rejected) and said in outcome.reason
            assert outcome.whole_destination is (by is not target) and target.read("fixed") == fixed


def test_killed_while_shifting_the_state_is_the_one_before_or_after(balancer: Balancer) -> None:
    after_kills(balancer.entry, "shop", AWAY)


# ---------- faults on the way


@dataclass
class Told:
    """What one fault made of an act: its outcome, and whether the act was made."""

    outcome: Any
    made: bool


def through_faults(
    folder: Path, entry: dict[str, Any], upstream: str, item: str, desired: dict[str, Any]
) -> dict[str, Told]:
    """Every fault once; what was lost is settled by a read, what was not made is made again, and undone."""
    direct = actuator(entry)
    before = direct.read(item)
    told: dict[str, Told] = {}
    for fault in FAULTS:
        (folder / fault).mkdir()
        with faulty(folder / fault, upstream, {"0": fault}) as url:
            target = actuator(entry, base_url=url, timeout_seconds=2)
            outcome = outcome_of(lambda target=target: target.apply(item, desired, before, "plan"))  # type: ignore[misc]
            time.sleep(3 if fault == "silence" else 0)
            found = target.read(item)
            made = target.shows(found, desired)
            assert made or found.digest == before.digest
            told[fault] = Told(outcome, made)
            applied = target.apply(item, desired, before, "again")
            assert target.shows(applied, desired)
            assert target.restore(before, applied, "undo").state == before.state
        assert direct.read(item) == before
    return told


def assert_faults_are_told(told: dict[str, Told]) -> None:
    assert {fault: type(one.outcome) for fault, one in told.items()} == {
        "429": Deferred,
        "503": Unknown,
        "cut before": Unknown,
        "502": Unknown,
        "cut after": Unknown,
        "silence": Unknown,
    }
    assert {fault for fault, one in told.items() if one.made} == {"502", "cut after", "silence"}


@needs_tools
def test_envoy_through_faults(customers: Shop, tmp_path: Path) -> None:
    program, runs = BALANCERS["envoy"]
    if program is None:
        pytest.skip("no envoy is installed: run `make test-servers`")
    with runs(tmp_path, customers) as found:
        assert eventually(lambda: customers.ask(10)["failed"] == 0, 10)
        assert_faults_are_told(through_faults(tmp_path, found.entry, found.control_url, "shop", AWAY))
        assert customers.ask(REQUESTS)["failed"] == 0


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


# ---------- kills


def after_kills(entry: dict[str, Any], item: str, desired: dict[str, Any]) -> None:
    """Kill -9 acts at random instants: a read tells whether each was made, and an undo restores the state before."""
    chance, target = random.Random(7), actuator(entry)
    before = target.read(item)
    wanted = target.apply(item, desired, before, "")
    target.restore(before, wanted, "")
    counts = {"before": 0, "after": 0, "finished": 0}
    usual = 0.0
    while counts["before"] + counts["after"] < KILLS and counts["finished"] < 5 * KILLS:
        patience = chance.uniform(0, 1.3 * usual) if usual else 60
        took = killed_while_acting(entry, item, desired, before, patience)
        found = target.read(item)
        assert found.digest in (before.digest, wanted.digest), found
        made = target.shows(found, desired)
        assert made is (found.digest == wanted.digest)
        if took is None:
            counts["after" if made else "before"] += 1
            usual *= 1.1
        else:
            counts["finished"] += 1
            usual = usual * 0.8 or took
            assert made
        assert target.restore(before, wanted, "undo").state == before.state
    print(f"{entry['kind']}: killed before and after the write, or too late: {counts}")
    assert counts["before"] + counts["after"] == KILLS and counts["before"] and (counts["after"] or KILLS < 50)


def killed_while_acting(
    entry: dict[str, Any], item: str, desired: dict[str, Any], before: Reading, after: float
) -> float | None:
    """Act in a process, and kill -9 it that many seconds after it began; how many it took if it ended before."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.servers.acting"])
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=act, args=(dict(os.environ), entry, item, desired, before, there))
    process.start()
    there.close()
    try:
        assert here.recv() == "begins"
        began = time.monotonic()
        while time.monotonic() - began < after:  # waiting by the system would round a millisecond up
            if here.poll(0):
                assert here.recv() == "done", "the act failed by itself"
                return time.monotonic() - began
        process.kill()
        return None
    finally:
        process.join()
        process.close()
        here.close()


def test_an_unreachable_target_is_not_sent(tmp_path: Path) -> None:
    for entry in (
        {"kind": "haproxy", "name": "edge", "socket": str(tmp_path / "none")},
        {"kind": "haproxy", "name": "edge", "socket": "tcp://127.0.0.1:9"},
        {"kind": "envoy", "name": "edge", "base_url": "http://127.0.0.1:9"},
    ):
        with pytest.raises(DeliveryError, match="no connection"):
            actuator(entry).read("shop")

"""Actuators of traffic: the contract, and what load balancers refuse, forget or never say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from dagster_project.automation.actuators.base import Actuator
from dagster_project.automation.actuators.config import KINDS, desired_problem, load_target
from dagster_project.automation.actuators.envoy import Envoy, EnvoySettings
from dagster_project.automation.actuators.haproxy import HAProxy, HAProxySettings
from dagster_project.automation.actuators.traefik_file import TraefikFile, TraefikFileSettings
from dagster_project.automation.actuators.traffic import split_seen
from dagster_project.automation.outcomes import NotSent, Rejected, Unknown, outcome_of
from dagster_project.home import Home
from tests.automation.actuators.contract import OUTCOMES, Contract, Subject
from tests.automation.actuators.fake_envoy import KEY, FakeEnvoy
from tests.automation.actuators.fake_haproxy import FakeHAProxy, Server, listening

AWAY = {"weights": {"canary": 0}}
BUSY = {"stable": 90, "canary": 10}
FILE = """# Who gets the traffic.
http:
  services:
    shop:
      weighted:
        sticky: {cookie: {name: s}}
        services:
          - name: stable
            weight: 90
          - {weight: 10, name: canary}  # since Monday
    plain: {loadBalancer: {servers: [{url: "http://127.0.0.1:1"}]}}
    unsaid: {weighted: {services: [{name: stable}, {name: canary, weight: 1}]}}
    aliased: {weighted: {services: [{name: stable, weight: &w 5}, {name: canary, weight: *w}]}}
"""


# ---------- one subject per load balancer, each with what lets a test break it


class World:
    """A simulated load balancer and its actuator."""

    def __init__(self, subject: Subject, down: Callable[[str], None], bare: Any) -> None:
        self.subject, self.down, self.bare = subject, down, bare


def haproxy(folder: Path, stack: ExitStack) -> World:
    fake = FakeHAProxy()
    stack.enter_context(listening(fake, folder / "s"))
    settings = HAProxySettings.model_validate(
        {"kind": "haproxy", "name": "edge", "socket": f"{folder}/s", "sample_seconds": 0.01}
    )

    def effect() -> None:
        fake.traffic = {name: min(one.weight, 90) for name, one in fake.servers.items()}

    subject = Subject(
        HAProxy(settings),
        "shop",
        AWAY,
        world=lambda: {name: [one.weight, one.state] for name, one in fake.servers.items()},
        somebody=lambda: fake.answer("set weight shop/stable 50"),
        undone=fake.reload,
        faults={f"timeout {when}": lambda when=when: setattr(fake, "fault", when) for when in ("before", "after")},  # type: ignore[misc]
        makes_effect=effect,
    )
    return World(subject, lambda name: setattr(fake.servers[name], "up", False), fake)


def envoy(folder: Path, stack: ExitStack) -> World:
    fake = FakeEnvoy()
    settings = EnvoySettings.model_validate(
        {"kind": "envoy", "name": "edge", "base_url": "http://127.0.0.1:9901", "sample_seconds": 0.01}
    )
    actuator = Envoy(settings, transport=httpx.MockTransport(fake))
    stack.callback(actuator.close)

    def effect() -> None:
        fake.traffic = {name: int(fake.overrides.get(f"{KEY}.{name}", fake.configured[name])) for name in BUSY}

    subject = Subject(
        actuator,
        "shop",
        AWAY,
        world=lambda: fake.overrides,
        somebody=lambda: fake.overrides.update({f"{KEY}.stable": "50"}),
        undone=fake.reload,
        faults={fault: lambda fault=fault: setattr(fake, "fault", fault) for fault in OUTCOMES},  # type: ignore[misc]
        makes_effect=effect,
    )
    return World(subject, fake.down.add, fake)


class Api:
    """Traefik's API on a file that it has loaded."""

    def __init__(self, file: Path) -> None:
        self.file, self.down, self.loaded = file, set[str](), file.read_text()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.removeprefix("/api/http/services/").removesuffix("@file")
        services: dict[str, Any] = yaml.safe_load(self.loaded)["http"]["services"]
        if name in ("stable", "canary"):
            status = "DOWN" if name in self.down else "UP"
            return httpx.Response(200, json={"status": "enabled", "serverStatus": {"http://127.0.0.1:1": status}})
        if name not in services:
            return httpx.Response(404, json={"message": f"service not found: {name}@file"})
        return httpx.Response(200, json={**services[name], "status": "enabled", "name": f"{name}@file"})


def traefik(folder: Path, stack: ExitStack) -> World:
    file = folder / "dynamic.yml"
    file.write_text(FILE)
    api = Api(file)
    settings = TraefikFileSettings.model_validate(
        {"kind": "traefik_file", "name": "edge", "base_url": "http://127.0.0.1:8080", "file": str(file)}
    )
    actuator = TraefikFile(settings, file, transport=httpx.MockTransport(api))
    stack.callback(actuator.close)
    subject = Subject(
        actuator,
        "shop",
        AWAY,
        world=file.read_text,
        somebody=lambda: file.write_text(file.read_text().replace("weight: 90", "weight: 50")),
        undone=lambda: file.write_text(FILE),
        makes_effect=lambda: setattr(api, "loaded", file.read_text()),
    )
    return World(subject, api.down.add, api)


@pytest.fixture(params=[haproxy, envoy, traefik], ids=lambda make: make.__name__)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield request.param(tmp_path, stack)


@pytest.fixture
def subject(world: World) -> Subject:
    return world.subject


class TestTraffic(Contract):
    """The contract."""


# ---------- the receiving side


def test_weight_to_0_refused_while_the_receiver_is_down(world: World) -> None:
    target, before = world.subject.actuator, world.subject.actuator.read("shop")
    (fine,) = target.preflights("shop", AWAY, before)
    assert fine.passed is True and fine.answer == "up: stable"
    world.down("stable")
    (failed,) = target.preflights("shop", AWAY, before)
    assert (failed.name, failed.passed) == ("receiver_healthy", False) and "stable" in failed.answer
    seen = world.subject.world()
    outcome = outcome_of(lambda: target.apply("shop", AWAY, before, "plan 3fa9c2"))
    assert isinstance(outcome, Rejected) and "receiver_healthy" in outcome.reason
    assert world.subject.world() == seen


def test_weights_that_leave_nobody_or_name_nobody_are_refused(world: World) -> None:
    target, before, seen = world.subject.actuator, world.subject.actuator.read("shop"), world.subject.world()
    for desired, said in (
        ({"weights": {"stable": 0, "canary": 0}}, "no backend would receive traffic"),
        ({"weights": {"blue": 0}}, "has no blue; it has canary, stable"),
    ):
        outcome = outcome_of(lambda desired=desired: target.apply("shop", desired, before, ""))  # type: ignore[misc]
        assert isinstance(outcome, Rejected) and said in outcome.reason
        assert not target.shows(before, desired)
    assert world.subject.world() == seen


def test_an_undo_does_not_wait_for_the_receiver(world: World) -> None:
    target, before = world.subject.actuator, world.subject.actuator.read("shop")
    applied = target.apply("shop", AWAY, before, "plan 3fa9c2")
    world.down("stable")
    world.down("canary")
    assert target.restore(before, applied, "undo") == before


# ---------- HAProxy


def test_haproxy_sets_all_in_one_line_and_the_receiver_first(tmp_path: Path) -> None:
    with ExitStack() as stack:
        world = haproxy(tmp_path, stack)
        desired = {"weights": {"canary": 0, "stable": 100}, "states": {"canary": "drain"}}
        target, before = world.subject.actuator, world.subject.actuator.read("shop")
        applied = target.apply("shop", desired, before, "")
        sent = "set weight shop/stable 100; set server shop/canary state drain; set weight shop/canary 0"
        assert [line for line in world.bare.lines if line.startswith("set")] == [sent]
        assert target.shows(applied, desired) and applied.state["servers"]["canary"]["state"] == "drain"
        world.bare.reload()
        assert not target.shows(target.read("shop"), desired)


def test_haproxy_one_receiver_of_several_is_enough_and_the_others_are_named(tmp_path: Path) -> None:
    with ExitStack() as stack:
        world = haproxy(tmp_path, stack)
        world.bare.servers["second"] = Server(90, 90, up=False)
        target = world.subject.actuator
        (answer,) = target.preflights("shop", AWAY, target.read("shop"))
        assert answer.passed is True and answer.answer == "of second, stable, not up: second"


def test_haproxy_says_errors_as_text(tmp_path: Path) -> None:
    with ExitStack() as stack:
        world = haproxy(tmp_path, stack)
        target, before = world.subject.actuator, world.subject.actuator.read("shop")
        outcome = outcome_of(lambda: target.apply("shop", {"weights": {"canary": 300}}, before, ""))
        assert isinstance(outcome, Rejected) and "between 0 and 256" in outcome.reason
        world.bare.operator = False
        outcome = outcome_of(lambda: target.apply("shop", AWAY, before, ""))
        assert isinstance(outcome, Rejected) and outcome.whole_destination and "Permission denied" in outcome.reason
        for item in ("shop; set weight shop/canary 0", "shop\nset weight shop/canary 0", ""):
            with pytest.raises(Exception, match="is no name of a backend"):
                target.read(item)
        assert world.subject.world()["canary"] == [10, "ready"]
    assert isinstance(outcome_of(lambda: target.read("shop")), NotSent), "the socket is gone"


def test_haproxy_silence_after_a_write_is_unknown_and_settled_by_a_read(tmp_path: Path) -> None:
    with ExitStack() as stack:
        world = haproxy(tmp_path, stack)
        settings = {"kind": "haproxy", "name": "edge", "socket": f"{tmp_path}/s", "timeout_seconds": 0.05}
        target = HAProxy(HAProxySettings.model_validate(settings))
        before = target.read("shop")
        world.bare.fault = "silence"
        outcome = outcome_of(lambda: target.apply("shop", AWAY, before, ""))
        world.bare.hangs_up.set()
        assert isinstance(outcome, Unknown) and "no answer" in outcome.reason
        assert world.subject.actuator.shows(world.subject.actuator.read("shop"), AWAY)


def test_haproxy_partial_traffic_is_judged_by_share(tmp_path: Path) -> None:
    with ExitStack() as stack:
        world = haproxy(tmp_path, stack)
        target: Any = world.subject.actuator
        assert target.effect("shop", AWAY) is None, "nobody asks, so nothing is seen"
        world.bare.traffic = {"stable": 90, "canary": 10}
        assert target.effect("shop", {"weights": {"canary": 10}}) is True
        assert target.effect("shop", {"weights": {"canary": 90}}) is False
        assert target.effect("shop", {"states": {"canary": "drain"}}) is False


# ---------- Envoy


def test_envoy_an_undo_removes_the_override_and_keeps_one_that_was_there(tmp_path: Path) -> None:
    with ExitStack() as stack:
        world = envoy(tmp_path, stack)
        target, fake = world.subject.actuator, world.bare
        fake.overrides[f"{KEY}.canary"] = "25"
        before = target.read("shop")
        assert before.state["clusters"]["canary"] == {"weight": 25, "override": "25"}
        applied = target.apply("shop", {"weights": {"canary": 0, "stable": 100}}, before, "")
        assert fake.overrides == {f"{KEY}.canary": "0", f"{KEY}.stable": "100"}
        target.restore(before, applied, "undo")
        assert fake.overrides == {f"{KEY}.canary": "25"}


def test_envoy_without_an_admin_layer_is_refused_as_a_whole(tmp_path: Path) -> None:
    with ExitStack() as stack:
        world = envoy(tmp_path, stack)
        world.bare.admin_layer = False
        outcome = outcome_of(lambda: world.subject.actuator.read("shop"))
        assert isinstance(outcome, Rejected) and outcome.whole_destination and "admin_layer" in outcome.reason


def test_envoy_a_write_that_cannot_be_read_back_is_unknown(tmp_path: Path) -> None:
    with ExitStack() as stack:
        world = envoy(tmp_path, stack)
        target, fake = world.subject.actuator, world.bare
        before = target.read("shop")
        commit = fake._modify

        def broken(query: str) -> httpx.Response:
            commit(query)
            fake.admin_layer = False
            return httpx.Response(200, text="OK\n")

        fake._modify = broken
        outcome = outcome_of(lambda: target.apply("shop", AWAY, before, ""))
        assert isinstance(outcome, Unknown) and "could not be read back" in outcome.reason
        fake.admin_layer = True
        assert target.shows(target.read("shop"), AWAY), "a later read settles it"


def test_envoy_a_write_that_reads_otherwise_is_unknown(tmp_path: Path) -> None:
    with ExitStack() as stack:
        world = envoy(tmp_path, stack)
        world.bare._modify = lambda query: httpx.Response(200, text="OK\n")  # a layer above has the last word
        target, before = world.subject.actuator, world.subject.actuator.read("shop")
        outcome = outcome_of(lambda: target.apply("shop", AWAY, before, ""))
        assert isinstance(outcome, Unknown) and "was written, and reads" in outcome.reason
        assert target.read("shop") == before


# ---------- Traefik


def test_traefik_only_the_numbers_change_in_the_file(tmp_path: Path) -> None:
    with ExitStack() as stack:
        world = traefik(tmp_path, stack)
        target = world.subject.actuator
        target.apply("shop", {"weights": {"canary": 0, "stable": 1000}}, target.read("shop"), "")
        assert world.subject.world() == FILE.replace("weight: 10", "weight: 0").replace("weight: 90", "weight: 1000")


def test_traefik_refuses_weights_that_are_not_written_as_plain_numbers(tmp_path: Path) -> None:
    with ExitStack() as stack:
        world = traefik(tmp_path, stack)
        target = world.subject.actuator
        for item, desired, said in (
            ("unsaid", {"weights": {"stable": 0}}, "has no written weight for stable"),
            ("aliased", AWAY, "are not plain numbers"),
        ):
            before = target.read(item)
            outcome = outcome_of(lambda: target.apply(item, desired, before, ""))  # noqa: B023
            assert isinstance(outcome, Rejected) and said in outcome.reason
        assert isinstance(outcome_of(lambda: target.read("plain")), Rejected)
        assert world.subject.world() == FILE


def test_traefik_a_file_that_it_has_not_loaded_has_no_effect_yet(tmp_path: Path) -> None:
    with ExitStack() as stack:
        world = traefik(tmp_path, stack)
        target: Any = world.subject.actuator
        target.apply("shop", AWAY, target.read("shop"), "")
        assert target.effect("shop", AWAY) is False
        world.bare.loaded = "http: {services: {}}"
        assert target.effect("shop", AWAY) is None


@pytest.mark.parametrize("content", [None, "", "http: [", "http: {services: 5}", "\xff"])
def test_traefik_a_broken_file_refuses_the_whole_target(tmp_path: Path, content: str | None) -> None:
    with ExitStack() as stack:
        world = traefik(tmp_path, stack)
        file = tmp_path / "dynamic.yml"
        file.unlink() if content is None else file.write_bytes(content.encode("latin-1"))
        outcome = outcome_of(lambda: world.subject.actuator.read("shop"))
        assert isinstance(outcome, Rejected) and outcome.whole_destination and str(file) in outcome.reason


# ---------- counted requests, and configuration


def test_counted_requests_prove_a_split_only_when_they_are_enough() -> None:
    split = {"stable": 90, "canary": 10}
    assert split_seen(split, {"stable": 900, "canary": 100}) is True
    assert split_seen(split, {"stable": 870, "canary": 130}) is True  # 3.2 standard deviations of 9.5
    assert split_seen(split, {"stable": 850, "canary": 150}) is False
    assert split_seen(split, {"stable": 45, "canary": 4}) is None
    gone = {"stable": 90, "canary": 0}
    assert split_seen(gone, {"stable": 50, "canary": 0}) is True
    assert split_seen(gone, {"stable": 49, "canary": 0}) is None
    assert split_seen(gone, {"stable": 49, "canary": 1}) is False
    assert split_seen({"stable": 0, "canary": 0}, {"stable": 0, "canary": 0}) is None


def test_entries_of_the_playbook(home: Home) -> None:
    for entry, said in (
        ({"kind": "haproxy", "socket": "relative/path"}, "targets.edge.socket"),
        ({"kind": "haproxy", "socket": "tcp://nohost"}, "targets.edge.socket"),
        ({"kind": "traefik_file", "file": "x.toml", "base_url": "http://127.0.0.1"}, "targets.edge.file"),
        ({"kind": "envoy", "base_url": "http://admin.example"}, "targets.edge.base_url"),
    ):
        assert said in load_target(home, "edge", entry).broken
    for entry in (
        {"kind": "haproxy", "socket": "/run/haproxy/admin.sock"},
        {"kind": "haproxy", "socket": "tcp://127.0.0.1:9999"},
        {"kind": "envoy", "base_url": "http://127.0.0.1:9901"},
        {"kind": "traefik_file", "file": "/etc/traefik/shop.yml", "base_url": "http://127.0.0.1:8080"},
    ):
        found = load_target(home, "edge", entry)
        assert not found.broken and isinstance(found.actuator, Actuator_), found
        assert found.settings and found.settings.place.startswith(f"{entry['kind']} ")
        assert desired_problem(found.settings, AWAY) == ""
        assert desired_problem(found.settings, {"weights": {"canary": -1}})
        assert desired_problem(found.settings, {"wieghts": {}})
    assert desired_problem(KINDS["haproxy"].model_construct(), {}) != ""
    assert desired_problem(KINDS["haproxy"].model_construct(), {"weights": {"canary": 257}}) != ""


Actuator_ = (HAProxy, Envoy, TraefikFile)
_: type[Actuator] = HAProxy

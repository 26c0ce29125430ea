"""Against real load balancers: shift, counted requests, drift, undo; with faults on the way, and with kills.

Not part of ``make test``: `make test-servers` installs what this needs, and runs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.automation.actuators.base import Actuator, Conflict
from dagster_project.automation.actuators.traefik_file import TraefikFile
from dagster_project.automation.outcomes import DeliveryError, Rejected, outcome_of
from tests.servers.acts import actuator, after_kills, assert_faults_are_told, seen, through_faults
from tests.servers.balancers import BALANCERS, Balancer, Shop, shop
from tests.servers.processes import eventually
from tests.servers.stories import needs_tools

REQUESTS = 300
AWAY = {"weights": {"canary": 0}}


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
        assert eventually(lambda: seen(target, "shop", AWAY) is True, 60)
        assert eventually(lambda: seen(target, "shop", {"weights": {"stable": 50, "canary": 50}}) is False, 60)
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
            assert eventually(lambda: seen(target, "shop", drained) is True, 60)
        by_tcp = actuator(found.entry, socket=found.control_url)
        assert by_tcp.read("shop").state == applied.state
        assert by_tcp.restore(before, applied, "undo").state == before.state
        assert target.read("shop") == before and customers.ask(REQUESTS)["canary"] > 0
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


@needs_tools
def test_envoy_through_faults(customers: Shop, tmp_path: Path) -> None:
    program, runs = BALANCERS["envoy"]
    if program is None:
        pytest.skip("no envoy is installed: run `make test-servers`")
    with runs(tmp_path, customers) as found:
        assert eventually(lambda: customers.ask(10)["failed"] == 0, 10)
        assert_faults_are_told(through_faults(tmp_path, found.entry, found.control_url, "shop", AWAY))
        assert customers.ask(REQUESTS)["failed"] == 0


def test_an_unreachable_target_is_not_sent(tmp_path: Path) -> None:
    for entry in (
        {"kind": "haproxy", "name": "edge", "socket": str(tmp_path / "none")},
        {"kind": "haproxy", "name": "edge", "socket": "tcp://127.0.0.1:9"},
        {"kind": "envoy", "name": "edge", "base_url": "http://127.0.0.1:9"},
    ):
        with pytest.raises(DeliveryError, match="no connection"):
            actuator(entry).read("shop")

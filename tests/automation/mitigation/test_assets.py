"""Mitigations as assets: one step for all targets, each with its own checks; what is broken is red, the rest made."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from dagster import (
    AssetKey,
    DagsterInstance,
    ExecuteInProcessResult,
    RetryPolicy,
    SkipReason,
    build_sensor_context,
    materialize,
)
from dagster import RunRequest as Asked

from dagster_project import resources
from dagster_project.automation import sensors
from dagster_project.automation.mitigation import assets, checks
from dagster_project.automation.mitigation.plans import KIND
from dagster_project.home import Home
from dagster_project.resources import HomeResource
from tests.automation.mitigation.support import FLAG, Stage
from tests.automation.mitigation.test_due import publish

BROKEN = {
    "control": {"kind": "local", "critical": True},
    "flags": {"kind": "unleash", "base_url": "https://flags.example", "token_env": "UNSET_TOKEN"},
}


@pytest.fixture
def stage(home: Home) -> Stage:
    """A stage in the present, as Dagster has no other clock; its plan waits for an approval."""
    stage = Stage.set_up(home)
    stage.now = datetime.now(UTC)
    publish(stage, [FLAG])
    return stage


@pytest.fixture
def loaded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The mitigation assets of a home whose second target has no secret."""
    stage.write_playbook(targets=BROKEN)
    with monkeypatch.context() as patch:
        patch.setenv("FEEDBACK_HOME", str(stage.home.root))
        patch.delenv("UNSET_TOKEN", raising=False)
        patch.setattr(resources, "RETRY", RetryPolicy(max_retries=0))
        yield importlib.reload(assets)
    importlib.reload(assets)


def run(module: ModuleType, home: Home, instance: DagsterInstance) -> ExecuteInProcessResult:
    return materialize(
        [module.mitigations],
        resources={"home": HomeResource(root=str(home.root))},
        instance=instance,
        raise_on_error=False,
    )


def made(result: ExecuteInProcessResult) -> set[str]:
    return {one.asset_key.to_user_string() for one in result.get_asset_materialization_events() if one.asset_key}


def passed(result: ExecuteInProcessResult) -> dict[tuple[str, str], bool]:
    return {(one.asset_key.path[-1], one.check_name): one.passed for one in result.get_asset_check_evaluations()}


def test_a_target_without_its_secret_is_red_and_the_other_is_made(loaded: ModuleType, stage: Stage) -> None:
    assert loaded.TARGETS == {"control": "local", "flags": "unleash"}
    with DagsterInstance.ephemeral() as instance:
        result = run(loaded, stage.home, instance)
    assert result.success  # nothing is asked of the broken one
    assert made(result) == {"mitigations/control", "lake/plan_events"}
    checked = passed(result)
    assert checked["control", "target_readable"]
    assert not checked["flags", "target_readable"]
    assert set(checked) == {(name, check) for name in loaded.TARGETS for check in checks.DESCRIPTIONS}


def test_an_act_and_its_undo_are_observed_at_the_control_system(loaded: ModuleType, stage: Stage) -> None:
    stage.decide([replace(FLAG, mode="auto")])
    key = AssetKey(["control_systems", "control"])
    with DagsterInstance.ephemeral() as instance:
        assert made(run(loaded, stage.home, instance)) == {"mitigations/control", "lake/plan_events"}
        (observed,) = instance.fetch_observations(key, 9).records
        assert stage.control()["flags"]["new-checkout"]["enabled"] is False
        assert made(run(loaded, stage.home, instance)) == {"mitigations/control"}  # nothing happened
        assert len(instance.fetch_observations(key, 9).records) == 1
    assert observed.asset_observation
    assert list(observed.asset_observation.metadata) == [f"applied {stage.plans()[0].short_id}"]


def test_what_fails_makes_the_step_red_and_says_why(loaded: ModuleType, stage: Stage) -> None:
    act = {"tier": 1, "do": {"target": "control", "item": "flags/payment-fallback", "set": {"enabled": True}}}
    stage.write_playbook(mitigations={"fallback": {**act, "mode": "approve"}})
    stage.home.control.write_text("{", encoding="utf-8")
    with DagsterInstance.ephemeral() as instance:
        result = run(loaded, stage.home, instance)
    assert not result.success
    assert made(result) == set()
    assert not passed(result)["control", "target_readable"]
    (failure,) = [one for one in result.all_events if one.is_step_failure]
    assert "target control" in str(failure.step_failure_data.error)


def test_a_playbook_that_is_wrong_fails_the_step_and_not_the_code_location(loaded: ModuleType, stage: Stage) -> None:
    (stage.home.root / "playbook.yml").write_text("version: one\n", encoding="utf-8")
    again = importlib.reload(loaded)
    assert again.TARGETS == {"control": "local"}
    with DagsterInstance.ephemeral() as instance:
        result = run(again, stage.home, instance)
    assert not result.success
    assert "playbook.yml" in str([one for one in result.all_events if one.is_step_failure])


# ---------- checks


def check(stage: Stage, name: str) -> tuple[bool, dict[str, Any]]:
    """One check of the target `control`: whether it passed, and what it shows."""
    (found,) = [one for one in checks.check_results(stage.home, "control") if one.check_name == name]
    return found.passed, {key: getattr(value, "value", value) for key, value in (found.metadata or {}).items()}


def test_a_plan_that_everybody_was_asked_about_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.run()
    assert check(stage, "plans_move_on")[0]
    monkeypatch.setattr(checks, "now", lambda: stage.now + timedelta(minutes=91))
    moves, shown = check(stage, "plans_move_on")
    assert (moves, shown["count"]) == (False, 1)
    assert stage.plans()[0].short_id in shown["plans"]
    stage.vote("dana")
    assert check(stage, "plans_move_on")[0]  # in force, it may last


def test_a_state_that_somebody_put_back_is_found_until_it_is_as_it_was_set(stage: Stage) -> None:
    stage.run()
    stage.vote("dana")
    assert check(stage, "held_states_hold")[0]
    stage.change("flags", "new-checkout", enabled=True)
    stage.run(minutes=5)
    holds, shown = check(stage, "held_states_hold")
    assert (holds, shown["held"]) == (False, 1)
    assert "flags/new-checkout" in shown["drifted"]
    stage.change("flags", "new-checkout", enabled=False)
    stage.run(minutes=5)
    assert check(stage, "held_states_hold")[0]


def test_too_few_approvers_are_found_where_people_are_asked(stage: Stage) -> None:
    stage.write_playbook(approvers={})
    assert check(stage, "approvers_suffice")[0]  # all is in shadow
    act = {"tier": 1, "do": {"target": "control", "item": "flags/a", "set": {"enabled": False}}}
    stage.write_playbook(approvers={"dana": {}}, mitigations={"off": {**act, "mode": "approve"}})
    few, shown = check(stage, "approvers_suffice")
    assert (few, "off needs 1" in shown["problems"]) == (False, True)  # neither a token nor an account
    stage.ledger.access_tokens.issue("dana", stage.now)
    assert check(stage, "approvers_suffice")[0]
    critical = {"control": {"kind": "local", "critical": True}}
    stage.write_playbook(approvers={"dana": {}}, targets=critical, mitigations={"off": {**act, "mode": "auto"}})
    assert "off needs 2" in check(stage, "approvers_suffice")[1]["problems"]


def test_an_item_that_is_not_there_is_found_by_reading(stage: Stage) -> None:
    act = {"tier": 1, "do": {"target": "control", "item": "flags/nobody-knows", "set": {"enabled": False}}}
    stage.write_playbook(mitigations={"off": act})
    assert check(stage, "target_readable")[0]  # in shadow it needs no item yet
    stage.write_playbook(mitigations={"off": {**act, "mode": "approve"}})
    readable, shown = check(stage, "target_readable")
    assert not readable
    assert "flags/nobody-knows cannot be read" in shown["problems"]


def test_a_mitigation_that_may_act_and_was_not_rehearsed_is_named(stage: Stage) -> None:
    rehearsed, shown = check(stage, "rehearsed")
    assert (rehearsed, shown["not rehearsed"]) == (True, "none")
    assert "release-rollback" in shown["not rehearsed, in shadow"]
    act = {"tier": 1, "do": {"target": "control", "item": "flags/a", "set": {"enabled": False}}, "mode": "approve"}
    stage.write_playbook(mitigations={"off": act})
    assert check(stage, "rehearsed") == (False, {"not rehearsed": "off", "not rehearsed, in shadow": "none"})


def test_a_check_that_raises_has_failed_and_the_others_are_evaluated(stage: Stage) -> None:
    stage.write_playbook(targets={"control": {"kind": "local"}}, mitigations={})
    (stage.home.root / "playbook.yml").write_text("version: one\n", encoding="utf-8")
    results = list(checks.check_results(stage.home, "control"))
    assert [one.passed for one in results] == [False] * len(checks.DESCRIPTIONS)


# ---------- sensors


def tick(stage: Stage, sensor: Any, instance: DagsterInstance, cursor: str | None) -> tuple[Any, str | None]:
    with build_sensor_context(
        instance=instance, cursor=cursor, resources={"home": HomeResource(root=str(stage.home.root))}
    ) as context:
        return sensor(context), context.cursor


def test_the_sensor_asks_for_a_turn_until_one_is_complete(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = stage.now
    monkeypatch.setattr(sensors, "now", lambda: clock)
    with DagsterInstance.ephemeral() as instance:
        asked, cursor = tick(stage, sensors.plans_due, instance, None)
        assert isinstance(asked, Asked)
        waits = []
        for _ in range(5):  # each run fails: the same work is tried again by itself, a little later each time
            started = clock
            while not isinstance(asked := tick(stage, sensors.plans_due, instance, cursor)[0], Asked):
                clock += timedelta(seconds=30)
            cursor = tick(stage, sensors.plans_due, instance, cursor)[1]
            waits.append((clock - started) / timedelta(minutes=1))
        assert waits == [1, 2, 5, 5, 5]
        stage.now = clock
        stage.ledger.turns.begin(KIND)
        assert isinstance(tick(stage, sensors.plans_due, instance, "")[0], Asked)
        from dagster_project.automation.mitigation.mitigate import mitigate

        assert mitigate(stage.home, now=clock).problems == []
        skipped, cursor = tick(stage, sensors.plans_due, instance, cursor)
        assert isinstance(skipped, SkipReason)
        assert cursor == ""


def test_a_push_waits_for_a_turn_under_way_and_not_for_ever(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    (stage.home.outbound / "out_tickets.jsonl").write_text("{}\n", encoding="utf-8")
    with DagsterInstance.ephemeral() as instance:
        monkeypatch.setattr(sensors, "now", lambda: stage.now)
        busy: dict[str, datetime] = {"mitigate": stage.now}  # when the run of this job began
        monkeypatch.setattr(sensors, "unfinished", lambda _, job, since: "1234" if busy.get(job, since) > since else "")
        waits, _ = tick(stage, sensors.queue_changed, instance, None)
        assert isinstance(waits, SkipReason)
        assert "1234" in str(waits.skip_message)
        busy["mitigate"] -= timedelta(minutes=5)
        assert isinstance(tick(stage, sensors.queue_changed, instance, None)[0], Asked)

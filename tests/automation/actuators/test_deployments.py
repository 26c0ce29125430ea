"""Kubernetes, GitHub workflows and CodeDeploy: what the contract does not ask."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from dagster_project.automation.actuators.base import AwaitingApproval, Conflict
from dagster_project.automation.outcomes import Deferred, Rejected, Unknown, outcome_of
from tests.automation.actuators.fake_aws import FakeCodeDeploy
from tests.automation.actuators.fake_github_actions import FakeGitHubActions
from tests.automation.actuators.fake_kubernetes import FakeKubernetes
from tests.automation.actuators.subjects import built, row

HALT, BACK = {"halted": True}, {"version": "5.1.0"}
NOTE = "plan 3fa9c2"

pytestmark = pytest.mark.usefixtures("every_secret")


# ---------- Kubernetes


def test_a_deployment_goes_back_to_the_template_of_its_own_replica_set() -> None:
    target = FakeKubernetes()
    there = built("kubernetes", target)
    before = there.read("shop")
    assert row(there.preflights("shop", BACK, before), "previous_version").answer == "revision 3 of shop"
    there.apply("shop", BACK, before, NOTE)
    patch: Any = target.sent("PATCH")[0]
    assert patch[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": "100"}
    assert "pod-template-hash" not in str(patch) and "5.1.0" in str(patch[1]["value"])


def test_a_change_of_the_status_alone_is_no_conflict() -> None:
    target = FakeKubernetes(status_changes=1)
    there = built("kubernetes", target)
    there.apply("shop", BACK, there.read("shop"), NOTE)
    assert len(target.sent("PATCH")) == 2
    target.status_changes = 9
    outcome = outcome_of(lambda: there.apply("shop", {"version": "5.2.0"}, there.read("shop"), NOTE))
    assert isinstance(outcome, Deferred) and "5.1.0" in str(target.deployment["spec"])


def test_a_change_between_the_read_and_the_patch_is_a_conflict() -> None:
    target = FakeKubernetes()
    there = built("kubernetes", target)
    before = there.read("shop")

    def late(request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH":
            target.tamper()
        return target(request)

    with pytest.raises(Conflict):
        built("kubernetes", late).apply("shop", BACK, before, NOTE)
    assert "5.3.0" in str(target.deployment["spec"]["template"])


def test_a_patch_that_the_cluster_refuses_for_itself_is_no_conflict() -> None:
    target = FakeKubernetes()
    there = built("kubernetes", target)
    before = there.read("shop")
    target.fault = httpx.Response(422, json={"kind": "Status", "message": "spec.template is invalid"})
    outcome = outcome_of(lambda: there.apply("shop", BACK, before, NOTE))
    assert isinstance(outcome, Rejected) and "spec.template is invalid" in outcome.reason


def test_a_paused_rollout_would_hold_the_way_back() -> None:
    target = FakeKubernetes()
    target.deployment["spec"]["paused"] = True
    there = built("kubernetes", target)
    before = there.read("shop")
    assert row(there.preflights("shop", BACK, before), "no_auto_sync").passed is False
    both = {**BACK, "halted": False}
    assert there.shows(there.apply("shop", both, before, NOTE), both)


def test_pods_are_the_second_path_of_kubernetes() -> None:
    target = FakeKubernetes()
    there = built("kubernetes", target)
    there.apply("shop", BACK, there.read("shop"), NOTE)
    assert there.effect("shop", BACK) is True
    target.deployment["status"]["updatedReplicas"] = 1
    assert there.effect("shop", BACK) is False
    target.deployment["metadata"]["generation"] = 6
    assert there.effect("shop", BACK) is None


# ---------- GitHub


@pytest.mark.parametrize("tells_runs", [True, False], ids=["200", "204"])
def test_a_run_is_found_by_its_id_or_by_the_plan_in_its_name(tells_runs: bool) -> None:
    target = FakeGitHubActions(tells_runs=tells_runs)
    there = built("github_workflow", target)
    assert there.apply("production", BACK, there.read("production"), NOTE).state["version"] == "5.1.0"
    (body,) = target.sent("POST")
    assert body["return_run_details"] is True and body["inputs"]["plan"] in target.runs[0]["display_title"]


def test_a_run_goes_on_and_no_second_one_is_started() -> None:
    target = FakeGitHubActions(run_status="in_progress")
    there = built("github_workflow", target)
    before = there.read("production")
    for _ in range(2):
        outcome = outcome_of(lambda: there.apply("production", BACK, before, NOTE))
        assert isinstance(outcome, Unknown) and "actions/runs/900" in outcome.reason
    target.finish()
    assert there.shows(there.apply("production", BACK, before, NOTE), BACK) and target.writes == 1
    target.run_status = "completed"
    there.apply("production", {"version": "5.2.0"}, there.read("production"), "another plan")
    assert len({one["display_title"] for one in target.runs}) == 2


def test_a_run_that_github_holds_is_waited_for_with_its_link() -> None:
    target = FakeGitHubActions(run_status="waiting")
    there = built("github_workflow", target)
    before = there.read("production")
    with pytest.raises(AwaitingApproval) as caught:
        there.apply("production", BACK, before, NOTE)
    assert caught.value.url == "https://github.com/acme/shop/actions/runs/900"


@pytest.mark.parametrize(
    ("ends", "records", "says"), [("failure", True, "ended as failure"), ("success", False, "let the workflow record")]
)
def test_a_run_that_ended_without_the_version_is_a_refusal(ends: str, records: bool, says: str) -> None:
    target = FakeGitHubActions(run_ends=ends, records=records)
    there = built("github_workflow", target)
    before = there.read("production")
    for _ in range(2):
        outcome = outcome_of(lambda: there.apply("production", BACK, before, NOTE))
        assert isinstance(outcome, Rejected) and says in outcome.reason
    assert target.writes == 1


def test_a_deployment_under_way_is_said_before() -> None:
    target = FakeGitHubActions()
    target.deployments.append({"id": 3, "ref": "5.3.0", "sha": "", "payload": "", "state": "in_progress"})
    there = built("github_workflow", target)
    reading = there.read("production")
    assert reading.state["version"] == "5.2.0"
    rows = there.preflights("production", BACK, reading)
    assert row(rows, "no_auto_sync").passed is False and row(rows, "previous_version").passed is True
    never = there.preflights("production", {"version": "4.9.0"}, reading)
    assert row(never, "previous_version").passed is None


# ---------- CodeDeploy


def test_a_stop_names_the_deployment_and_the_rollback_is_the_second_path() -> None:
    target = FakeCodeDeploy(alarms=["errors"])
    there = built("codedeploy", target)
    before = there.read("shop/prod")
    rows = there.preflights("shop/prod", HALT, before)
    assert row(rows, "previous_version").answer == "goes back to what d-1 deployed"
    assert row(rows, "no_other_approval").passed is None and "errors" in row(rows, "no_other_approval").answer
    applied = there.apply("shop/prod", HALT, before, NOTE)
    assert target.deployments[1]["status"] == "Stopped" and there.effect("shop/prod", HALT) is None
    target.deployments[-1]["status"] = "Succeeded"
    assert there.effect("shop/prod", HALT) is True
    assert there.read("shop/prod").digest == applied.digest  # the end of the rollback changes no state


def test_a_stop_without_a_rollback_is_halted_and_has_no_effect() -> None:
    target = FakeCodeDeploy(rolls_back=False)
    there = built("codedeploy", target)
    assert there.apply("shop/prod", HALT, there.read("shop/prod"), NOTE).state["halted"]
    assert there.effect("shop/prod", HALT) is False


def test_a_deployment_that_has_ended_cannot_be_stopped() -> None:
    target = FakeCodeDeploy()
    target.deployments[1]["status"] = "Succeeded"
    there = built("codedeploy", target)
    before = there.read("shop/prod")
    assert row(there.preflights("shop/prod", HALT, before), "previous_version").passed is False
    outcome = outcome_of(lambda: there.apply("shop/prod", HALT, before, NOTE))
    assert isinstance(outcome, Rejected) and "AlreadyCompleted" in outcome.reason

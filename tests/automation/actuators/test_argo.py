"""Argo Rollouts and Argo CD, and the vendors' descriptions: what the contract does not ask."""

from __future__ import annotations

import copy
from typing import Any

import httpx
import pytest

from dagster_project.automation.actuators.argo_cd import ArgoCdSettings
from dagster_project.automation.actuators.base import Conflict
from dagster_project.automation.actuators.config import desired_problem
from dagster_project.automation.actuators.images import has_version, tag_of
from dagster_project.automation.outcomes import Deferred, Rejected, Unknown, outcome_of
from tests.automation import descriptions
from tests.automation.actuators import fake_argo_cd, fake_argo_rollouts, fake_github_actions
from tests.automation.actuators.fake_argo_cd import FakeArgoCd
from tests.automation.actuators.fake_argo_rollouts import BAD, STABLE, FakeArgoRollouts
from tests.automation.actuators.subjects import built, row

HALT, BACK = {"halted": True}, {"version": "5.1.0"}
NOTE = "plan 3fa9c2"

pytestmark = pytest.mark.usefixtures("every_secret")


# ---------- Argo Rollouts


def test_abort_then_retry_undo_knows() -> None:
    target = FakeArgoRollouts()
    there = built("argo_rollouts", target, "abort")
    before = there.read("shop")
    rows = there.preflights("shop", HALT, before)
    assert "a retry, or a sync from Git, starts it again" in row(rows, "no_auto_sync").answer
    applied = there.apply("shop", HALT, before, NOTE)
    assert applied.state == {"template": [BAD], "aborted": True, "retry_would_start": [BAD]}
    target.aborted = False  # a person retries
    assert not there.shows(there.read("shop"), HALT)  # drift
    writes = target.writes
    assert there.restore(before, applied, NOTE).state == before.state and target.writes == writes


def test_an_abort_is_not_undone_by_a_retry_once_the_template_was_set_back() -> None:
    target = FakeArgoRollouts()
    there = built("argo_rollouts", target, "abort")
    before = there.read("shop")
    applied = there.apply("shop", HALT, before, NOTE)
    rolled_back = there.apply("shop", BACK, applied, NOTE)
    assert (target.template, target.aborted) == (STABLE, False) and "retry_would_start" not in rolled_back.state
    with pytest.raises(Conflict):
        there.restore(before, applied, NOTE)
    assert not [one for one in target.requests if one.url.path.endswith("/retry")]
    assert there.restore(applied, rolled_back, NOTE).state == applied.state  # template and abort, both as they were


def test_what_is_out_cannot_be_halted() -> None:
    target = FakeArgoRollouts(stable=BAD)
    there = built("argo_rollouts", target, "abort")
    before = there.read("shop")
    assert row(there.preflights("shop", HALT, before), "previous_version").passed is False
    outcome = outcome_of(lambda: there.apply("shop", HALT, before, NOTE))
    assert isinstance(outcome, Rejected) and "nothing to halt" in outcome.reason and target.writes == 0


def test_a_promotion_in_the_background_is_no_change_of_state() -> None:
    target = FakeArgoRollouts()
    there = built("argo_rollouts", target, "undo")
    before = there.read("shop")
    applied = there.apply("shop", BACK, before, NOTE)
    target.stable = STABLE
    assert there.read("shop").digest == applied.digest


def test_a_version_whose_replica_set_is_gone_is_refused() -> None:
    target = FakeArgoRollouts()
    there = built("argo_rollouts", target, "undo")
    before = there.read("shop")
    assert row(there.preflights("shop", {"version": "4.9.0"}, before), "previous_version").passed is False
    outcome = outcome_of(lambda: there.apply("shop", {"version": "4.9.0"}, before, NOTE))
    assert isinstance(outcome, Rejected) and target.writes == 0


def test_pods_are_the_second_path_of_argo_rollouts() -> None:
    target = FakeArgoRollouts()
    there = built("argo_rollouts", target, "abort")
    assert there.effect("shop", HALT) is False
    target.aborted = True
    assert there.effect("shop", HALT) is True
    assert there.effect("shop", BACK) is True and there.effect("shop", {"version": "5.2.0"}) is False


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("registry:5000/shop:5.1.0", "5.1.0"),
        ("registry:5000/shop", ""),
        ("shop:v5.1.0@sha256:ab", "v5.1.0"),
        ("shop@sha256:5.1.0", ""),
    ],
)
def test_the_version_of_an_image_is_its_tag(image: str, tag: str) -> None:
    assert tag_of(image) == tag
    assert has_version([image], "5.1.0") is bool(tag)
    assert not has_version([image], "5.1")


# ---------- Argo CD


def test_argo_cd_with_auto_sync_the_plan_proposes_a_revert() -> None:
    target = FakeArgoCd(policy={"automated": {"selfHeal": True}})
    there = built("argo_cd", target)
    before = there.read("shop")
    said = row(there.preflights("shop", BACK, before), "no_auto_sync")
    assert (
        said.passed is False
        and f"revert {fake_argo_cd.BAD} in Git" in said.answer
        and "auto_sync: false" in said.answer
    )
    outcome = outcome_of(lambda: there.apply("shop", BACK, before, NOTE))
    assert isinstance(outcome, Rejected) and "auto-sync" in outcome.reason and target.writes == 0


@pytest.mark.parametrize("policy", [None, {"automated": None}, {"automated": {"enabled": False}}])
def test_argo_cd_without_auto_sync_rolls_back(policy: Any) -> None:
    there = built("argo_cd", FakeArgoCd(policy=policy if policy and policy["automated"] is None else None))
    assert row(there.preflights("shop", BACK, there.read("shop")), "no_auto_sync").passed is True
    assert there.shows(built("argo_cd", FakeArgoCd(policy=policy)).read("shop"), {"auto_sync": False})


def test_auto_sync_is_paused_and_given_back_as_it_was() -> None:
    automated = {"prune": True, "selfHeal": True}
    target = FakeArgoCd(policy={"automated": automated, "syncOptions": ["CreateNamespace=true"]})
    there = built("argo_cd", target)
    before = there.read("shop")
    paused = there.apply("shop", {"auto_sync": False}, before, NOTE)
    assert target.policy == {"syncOptions": ["CreateNamespace=true"]}
    rolled_back = there.apply("shop", BACK, paused, NOTE)
    assert there.restore(paused, rolled_back, NOTE).state == paused.state
    assert there.restore(before, paused, NOTE).state == before.state
    assert target.policy == {"automated": automated, "syncOptions": ["CreateNamespace=true"]}


def test_argo_cd_at_work_is_not_disturbed() -> None:
    target = FakeArgoCd(busy=True)
    there = built("argo_cd", target)
    outcome = outcome_of(lambda: there.apply("shop", BACK, there.read("shop"), NOTE))
    assert isinstance(outcome, Deferred) and target.writes == 0


def test_a_rollback_of_argo_cd_that_takes_longer_is_unknown_until_it_is_read() -> None:
    target = FakeArgoCd()
    there = built("argo_cd", target)
    before, history = there.read("shop"), copy.deepcopy(target.history)

    def slow(request: httpx.Request) -> httpx.Response:
        answer = target(request)
        if request.method == "POST":
            target.busy, target.history = True, history
        return answer

    outcome = outcome_of(lambda: built("argo_cd", slow).apply("shop", BACK, before, NOTE))
    assert isinstance(outcome, Unknown)
    assert isinstance(outcome_of(lambda: there.apply("shop", BACK, before, NOTE)), Deferred)  # not sent twice
    assert target.writes == 1


def test_the_dry_run_of_argo_cd_rolls_nothing_back() -> None:
    target = FakeArgoCd()
    there = built("argo_cd", target)
    there.dry_run("shop", BACK, there.read("shop"))
    assert target.sent("POST") == [{"name": "shop", "id": 11, "dryRun": True}] and target.writes == 0
    assert isinstance(outcome_of(lambda: there.dry_run("shop", {"version": "4.0"}, there.read("shop"))), Rejected)


@pytest.mark.parametrize(("version", "known"), [("v5.1.0", True), ("5.1.0", True), ("a1a1a1a", True), ("a1", False)])
def test_a_deployment_of_argo_cd_is_known_by_tag_or_commit(version: str, known: bool) -> None:
    there = built("argo_cd", FakeArgoCd())
    rows = there.preflights("shop", {"version": version}, there.read("shop"))
    assert row(rows, "previous_version").passed is known


def test_argo_cd_takes_one_of_both() -> None:
    settings = ArgoCdSettings.model_validate({"name": "argo", "base_url": "https://argocd.example"})
    wrongs: list[dict[str, Any]] = [{}, {"version": "5.1.0", "auto_sync": False}]
    for wrong in wrongs:
        assert "set either version or auto_sync" in desired_problem(settings, wrong)


@pytest.mark.parametrize(
    ("name", "server", "method", "path", "body"),
    [
        ("argo-cd", fake_argo_cd.SERVER, "POST", "/api/v1/applications/shop/rollback", {"id": "eleven"}),
        ("argo-cd", fake_argo_cd.SERVER, "POST", "/api/v1/applications/shop/rollbacks", {"id": 11}),
        ("argo-rollouts-server", fake_argo_rollouts.SERVER, "POST", "/api/v1/rollouts/prod/shop/abort", {}),
        ("argo-rollouts-server", fake_argo_rollouts.SERVER, "PUT", "/api/v1/rollouts/prod/shop/abort", {"name": 7}),
        ("github", fake_github_actions.SERVER, "POST", "/repos/acme/shop/actions/workflows/w/dispatches", {}),
        (
            "github",
            fake_github_actions.SERVER,
            "POST",
            "/repos/acme/shop/actions/workflows/w/dispatches",
            {"ref": "main", "inputs": {str(number): "" for number in range(26)}},
        ),
    ],
)
def test_the_descriptions_refuse_what_is_wrong(name: str, server: str, method: str, path: str, body: Any) -> None:
    if not descriptions.path_of(name).exists():
        pytest.skip(f"the API description {name} is not at hand")
    with pytest.raises(Exception, match=r"[Ii]nvalid|validation|not described|not of type|not found"):
        descriptions.check(name, server, httpx.Request(method, server + path, json=body))

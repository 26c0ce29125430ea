"""Release systems: what Argo, Kubernetes, GitHub, CodeDeploy and the app stores do beyond the contract."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest

from dagster_project.automation.actuators.argo_cd import ArgoCdSettings
from dagster_project.automation.actuators.base import AwaitingApproval, Conflict, Preflight
from dagster_project.automation.actuators.config import desired_problem
from dagster_project.automation.actuators.images import has_version, tag_of
from dagster_project.automation.actuators.read_back import ReadBack
from dagster_project.automation.outcomes import Deferred, NotSent, Rejected, Unknown, outcome_of
from tests.automation import descriptions
from tests.automation.actuators import fake_argo_cd, fake_argo_rollouts, fake_github_actions
from tests.automation.actuators.fake_app_store import FakeAppStore
from tests.automation.actuators.fake_argo_cd import FakeArgoCd
from tests.automation.actuators.fake_argo_rollouts import BAD, STABLE, FakeArgoRollouts
from tests.automation.actuators.fake_aws import FakeCodeDeploy
from tests.automation.actuators.fake_github_actions import FakeGitHubActions
from tests.automation.actuators.fake_google_play import FakeGooglePlay
from tests.automation.actuators.fake_kubernetes import FakeKubernetes
from tests.automation.actuators.subjects import SUBJECTS, subject_of

HALT, BACK = {"halted": True}, {"version": "5.1.0"}
NOTE = "plan 3fa9c2"


@pytest.fixture(autouse=True)
def prepared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every secret is set, and nobody waits."""
    for subject in SUBJECTS:
        for variable, value in subject.secrets:
            monkeypatch.setenv(variable, value)
    monkeypatch.setattr(ReadBack, "PAUSE", 0.0)
    yield


def built(kind: str, target: Any, label: str = "", **settings: Any) -> Any:
    return subject_of(kind, label).actuator(target, **settings)


def row(rows: Any, name: str) -> Preflight:
    (found,) = (one for one in rows if one.name == name)
    assert isinstance(found, Preflight)
    return found


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


# ---------- Google Play


def test_a_play_update_keeps_the_other_releases() -> None:
    target = FakeGooglePlay()
    untouched, there = target.state(), built("google_play", target)
    there.apply("production", HALT, there.read("production"), NOTE)
    assert target.releases == [{**untouched[0], "status": "halted"}, *untouched[1:]]
    (sent,) = target.sent("PUT")
    assert sent == {"track": "production", "releases": target.releases}
    assert not target.edits, "no edit is left open"


def test_an_edit_that_another_has_overtaken_is_a_conflict() -> None:
    target = FakeGooglePlay(overtaken=True)
    untouched, there = target.state(), built("google_play", target)
    before = there.read("production")
    with pytest.raises(Conflict, match="another edit was committed"):
        there.apply("production", HALT, before, NOTE)
    assert target.state() == untouched


@pytest.mark.parametrize(("version", "halts"), [("5.2.0", True), ("520", True), ("5.1.0", False), ("9.9", False)])
def test_only_a_release_in_stages_can_be_halted(version: str, halts: bool) -> None:
    target = FakeGooglePlay()
    there = built("google_play", target)
    desired, before = {**HALT, "version": version}, there.read("production")
    assert row(there.preflights("production", desired, before), "previous_version").passed is halts
    outcome = outcome_of(lambda: there.apply("production", desired, before, NOTE))
    assert isinstance(outcome, Rejected) is not halts and (target.releases[0]["status"] == "halted") is halts


def test_a_token_of_google_is_used_until_shortly_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    target, clock = FakeGooglePlay(), [1000.0]
    monkeypatch.setattr("dagster_project.automation.actuators.tokens.time.monotonic", lambda: clock[0])
    there = built("google_play", target)
    for seconds, tokens in ((0, 1), (3000, 1), (550, 2)):
        clock[0] += seconds
        there.read("production")
        assert target.tokens == tokens


@pytest.mark.parametrize("fails", ["token", "edit", "update"])
def test_whatever_fails_before_the_commit_of_an_edit_changed_nothing(fails: str) -> None:
    target = FakeGooglePlay()
    untouched, before = target.state(), built("google_play", target).read("production")
    first = len(target.requests)

    def lossy(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        lost = {"token": path == "/token", "edit": path.endswith("/edits"), "update": request.method == "PUT"}
        if lost[fails] and (fails != "edit" or len(target.requests) > first + 3):
            raise httpx.ReadTimeout("too late", request=request)
        return target(request)

    outcome = outcome_of(lambda: built("google_play", lossy).apply("production", HALT, before, NOTE))
    assert isinstance(outcome, NotSent) and target.state() == untouched


@pytest.mark.parametrize("value", ["no json", "{}", '{"client_email": "a", "private_key": "b"}'])
def test_a_key_file_that_is_none_names_the_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_PLAY_SERVICE_ACCOUNT", value)
    outcome = outcome_of(lambda: built("google_play", FakeGooglePlay()).read("production"))
    assert isinstance(outcome, Rejected) and "GOOGLE_PLAY_SERVICE_ACCOUNT" in outcome.reason


def test_a_key_file_may_not_send_the_token_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    account = '{"client_email": "a", "private_key": "b", "token_uri": "http://oauth2.example/token"}'
    monkeypatch.setenv("GOOGLE_PLAY_SERVICE_ACCOUNT", account)
    target = FakeGooglePlay()
    outcome = outcome_of(lambda: built("google_play", target).read("production"))
    assert isinstance(outcome, Rejected) and "https://" in outcome.reason and not target.requests


# ---------- App Store Connect


def test_the_version_that_goes_out_is_paused_and_how_long_is_said() -> None:
    target = FakeAppStore(paused_days=29)
    there = built("app_store", target)
    before = there.read("1234")
    assert before.state == {"version": "5.2.0", "phased_release": "ph-2", "state": "ACTIVE"}
    said = row(there.preflights("1234", HALT, before), "no_auto_sync")
    assert said.passed and "1 more days" in said.answer
    target.paused_days = 30
    assert row(there.preflights("1234", HALT, before), "no_auto_sync").passed is False
    target.conflict = True
    with pytest.raises(Conflict, match="STATE_ERROR"):
        there.apply("1234", HALT, before, NOTE)


def test_a_token_of_apple_lives_for_less_than_20_minutes() -> None:
    target = FakeAppStore()
    built("app_store", target).read("1234")
    token = target.requests[0].headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert 0 < claims["exp"] - claims["iat"] < 20 * 60 and jwt.get_unverified_header(token)["alg"] == "ES256"


def test_nothing_that_goes_out_is_nothing_to_pause() -> None:
    outcome = outcome_of(lambda: built("app_store", FakeAppStore(phase="COMPLETE")).read("1234"))
    assert isinstance(outcome, Rejected) and "no version of app 1234 is going out" in outcome.reason

"""Traffic of the Gateway API and of ELBv2, the webhook, and AWS' signature: what the contract does not ask."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from dagster_project.automation.actuators.aws import sign
from dagster_project.automation.actuators.base import AwaitingApproval, Conflict
from dagster_project.automation.actuators.config import desired_problem
from dagster_project.automation.actuators.elbv2 import ElbV2Settings
from dagster_project.automation.actuators.gateway_route import GatewayRouteSettings
from dagster_project.automation.actuators.settings import TargetSettings
from dagster_project.automation.actuators.webhook import merged
from dagster_project.automation.outcomes import Deferred, NotSent, Rejected, Unknown, outcome_of
from tests.automation.actuators.fake_aws import CANARY, LISTENER, STABLE, FakeElbV2
from tests.automation.actuators.fake_control_webhook import SECRET, FakeControl
from tests.automation.actuators.fake_kubernetes import FakeKubernetes
from tests.automation.actuators.subjects import built, subject_of

NOTE = "plan 3fa9c2"


pytestmark = pytest.mark.usefixtures("every_secret")


# ---------- the receiver of the traffic


@pytest.mark.parametrize("desired", [{"canary": 0}, {"canary": 0, "stable": 100}])
def test_weight_to_0_refused_while_the_receiver_is_down(desired: dict[str, int]) -> None:
    target = FakeKubernetes(ready={"stable": False, "canary": True})
    there = built("gateway_route", target)
    (row,) = there.preflights("checkout", {"weights": desired}, there.read("checkout"))
    assert (row.name, row.passed) == ("receiver_healthy", False) and "stable" in row.answer
    outcome = outcome_of(lambda: there.apply("checkout", {"weights": desired}, there.read("checkout"), NOTE))
    assert isinstance(outcome, Rejected) and "stable" in outcome.reason and target.writes == 0
    load_balancer = FakeElbV2(healthy={STABLE: False, CANARY: True})
    other = built("elbv2", load_balancer)
    row = other.preflights(LISTENER, {"weights": desired}, other.read(LISTENER))[0]
    assert (row.name, row.passed) == ("receiver_healthy", False) and "stable" in row.answer
    outcome = outcome_of(lambda: other.apply(LISTENER, {"weights": desired}, other.read(LISTENER), NOTE))
    assert isinstance(outcome, Rejected) and "stable" in outcome.reason and load_balancer.writes == 0


def test_a_service_without_endpoints_is_down() -> None:
    there = built("gateway_route", FakeKubernetes(ready={"canary": True}))
    (row,) = there.preflights("checkout", {"weights": {"stable": 100}}, there.read("checkout"))
    assert row.passed is False


def test_somebody_has_to_get_the_traffic() -> None:
    there = built("gateway_route", FakeKubernetes())
    (row,) = there.preflights("checkout", {"weights": {"canary": 0, "stable": 0}}, there.read("checkout"))
    assert row.passed is False and "no backend with weight" in row.answer
    other = built("elbv2", FakeElbV2())
    row = other.preflights(LISTENER, {"weights": {"canary": 0, "stable": 0}}, other.read(LISTENER))[0]
    assert row.passed is False and row.answer == "nobody is left"


def test_a_backend_in_several_rules_is_set_in_each_and_the_default_weight_is_restored() -> None:
    target = FakeKubernetes()
    untouched, there = copy.deepcopy(target.route["spec"]), built("gateway_route", target)
    before = there.read("checkout")
    applied = there.apply("checkout", {"weights": {"canary": 0}}, before, NOTE)
    weights = [[one.get("weight") for one in rule["backendRefs"]] for rule in target.route["spec"]["rules"]]
    assert weights == [[90, 0], [0, None]]
    there.restore(before, applied, NOTE)
    assert target.route["spec"] == untouched


def test_a_route_that_no_gateway_accepted_yet_has_no_effect() -> None:
    target = FakeKubernetes()
    there = built("gateway_route", target)
    desired = {"weights": {"canary": 0}}
    there.apply("checkout", desired, there.read("checkout"), NOTE)
    assert there.effect("checkout", desired) is True
    target.route["metadata"]["generation"] += 1
    assert there.effect("checkout", desired) is None
    target.route["metadata"]["generation"] -= 1
    target.route["status"]["parents"][0]["conditions"][0]["status"] = "False"
    assert there.effect("checkout", desired) is False


@pytest.mark.parametrize(("kind", "item"), [("gateway_route", "checkout"), ("elbv2", LISTENER)])
def test_a_backend_that_is_not_there_is_refused_with_those_that_are(kind: str, item: str) -> None:
    target = subject_of(kind).fake()
    there = built(kind, target)
    desired = {"weights": {"green": 1}}
    assert not there.shows(there.read(item), desired)
    outcome = outcome_of(lambda: there.apply(item, desired, there.read(item), NOTE))
    assert isinstance(outcome, Rejected) and "green" in outcome.reason and "canary" in outcome.reason
    assert target.writes == 0


def test_weights_stay_in_the_range_of_the_system() -> None:
    aws = ElbV2Settings.model_validate({"name": "lb", "region": "eu-central-1"})
    kubernetes = GatewayRouteSettings.model_validate({"name": "gw", "base_url": "https://kube.example"})
    cases: list[tuple[TargetSettings, int]] = [(aws, 999), (kubernetes, 1_000_000)]
    for settings, most in cases:
        assert desired_problem(settings, {"weights": {"a": most}}) == ""
        wrongs: list[dict[str, int]] = [{"a": most + 1}, {"a": -1}, {}]
        for wrong in wrongs:
            assert "weights" in desired_problem(settings, {"weights": wrong})


# ---------- ELBv2


def test_the_whole_list_of_actions_is_written_with_one_weight_changed() -> None:
    target = FakeElbV2()
    untouched, there = target.state(), built("elbv2", target)
    before = there.read(LISTENER)
    assert before.state == {"actions": untouched[LISTENER]}  # from XML, word for word
    there.apply(LISTENER, {"weights": {"canary": 0}}, before, NOTE)
    untouched[LISTENER][1]["ForwardConfig"]["TargetGroups"][1]["Weight"] = "0"
    assert target.state() == untouched


def test_stickiness_is_said_before() -> None:
    target = FakeElbV2()
    there = built("elbv2", target)
    rows = there.preflights(LISTENER, {"weights": {"canary": 0}}, there.read(LISTENER))
    assert [(one.name, one.passed) for one in rows] == [("receiver_healthy", True), ("no_auto_sync", None)]
    assert "86400 seconds" in rows[1].answer
    target.actions[LISTENER][1]["ForwardConfig"]["TargetGroupStickinessConfig"]["Enabled"] = "false"
    assert len(there.preflights(LISTENER, {"weights": {"canary": 0}}, there.read(LISTENER))) == 1


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        ("Throttling", Deferred, "too many"),
        ("ExpiredToken", Rejected, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("AccessDenied", Rejected, "AccessDenied"),
    ],
)
def test_what_aws_refuses_is_in_the_body(code: str, kind: type[Any], says: str) -> None:
    answer = httpx.Response(400, text=f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>")
    outcome: Any = outcome_of(lambda: built("elbv2", lambda _: answer).read(LISTENER))
    assert isinstance(outcome, kind) and says in outcome.reason


def test_an_answer_that_is_no_xml_is_no_reading() -> None:
    outcome = outcome_of(lambda: built("elbv2", lambda _: httpx.Response(200, text="hello")).read(LISTENER))
    assert isinstance(outcome, NotSent)


# ---------- AWS' signature


@pytest.mark.parametrize(
    ("headers", "body", "signature"),
    [
        # `post-vanilla` and `post-x-www-form-urlencoded` of the test suite that AWS published for Signature Version 4
        ({}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            {"Content-Type": "application/x-www-form-urlencoded"},
            b"Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        # `post-header-value-case`: a header's value keeps its case
        (
            {"My-Header1": "VALUE1"},
            b"",
            "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
        ),
    ],
)
def test_the_signature_is_that_of_awss_own_test_vectors(headers: dict[str, str], body: bytes, signature: str) -> None:
    now = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    keys = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service", now)
    signed = sign({"Host": "example.amazonaws.com", **headers}, body, *keys)
    assert signed["Authorization"].endswith(f"Signature={signature}")


def test_a_session_token_is_signed_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session-planted")
    target = FakeElbV2()
    built("elbv2", target, session_token_env="AWS_SESSION_TOKEN").read(LISTENER)
    assert target.requests[0].headers["x-amz-security-token"] == "session-planted"
    assert "x-amz-security-token" in target.requests[0].headers["authorization"]


def test_the_address_follows_from_the_region() -> None:
    settings = ElbV2Settings.model_validate({"name": "lb", "region": "eu-central-1"})
    assert settings.base_url == "https://elasticloadbalancing.eu-central-1.amazonaws.com"
    assert settings.place == "elbv2 https://elasticloadbalancing.eu-central-1.amazonaws.com eu-central-1"


# ---------- the webhook


def test_a_post_verifies_by_the_specifications_own_library() -> None:
    target = FakeControl()
    there = built("webhook", target)
    there.apply("pools/north", {"drained": True}, there.read("pools/north"), NOTE)
    (post,) = (one for one in target.requests if one.method == "POST")
    Webhook(SECRET).verify(post.content, dict(post.headers))
    (body,) = target.sent("POST")
    assert body["expected"]["drained"] is False and body["version"] == "4" and body["note"] == NOTE
    assert body["state"] == {"drained": True, "note": "north", "limits": {"rps": 100, "burst": 10}}


def test_the_same_post_has_the_same_id() -> None:
    target = FakeControl()
    there = built("webhook", target)
    before = there.read("pools/north")
    target.fault = "timeout before"
    assert isinstance(outcome_of(lambda: there.apply("pools/north", {"drained": True}, before, NOTE)), Unknown)
    there.apply("pools/north", {"drained": True}, before, NOTE)
    ids = [one.headers["webhook-id"] for one in target.requests if one.method == "POST"]
    assert len(ids) == 2 and len({*ids}) == 1


def test_a_receiver_may_wait_for_an_approval_or_refuse() -> None:
    target = FakeControl(approval="https://ops.acme.example/approvals/7")
    there = built("webhook", target)
    before = there.read("pools/north")
    with pytest.raises(AwaitingApproval) as caught:
        there.apply("pools/north", {"drained": True}, before, NOTE)
    assert caught.value.url == "https://ops.acme.example/approvals/7"
    target.approval, target.overtaken = "", True
    with pytest.raises(Conflict, match="it has changed"):
        there.apply("pools/north", {"drained": True}, before, NOTE)


def test_what_is_not_named_stays() -> None:
    state = {"a": {"b": 1, "c": {"d": 2}}, "e": [1]}
    assert merged(state, {"a": {"c": {"d": 3}}, "e": []}) == {"a": {"b": 1, "c": {"d": 3}}, "e": []}

"""Flag systems: what LaunchDarkly and GrowthBook do that the contract of all actuators does not ask."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from dagster_project.automation.actuators.base import AwaitingApproval, Conflict, Previews, VerifiesEffect
from dagster_project.automation.outcomes import Deferred, Rejected, outcome_of
from tests.automation import descriptions
from tests.automation.actuators.fake_growthbook import REVIEW, FakeGrowthBook
from tests.automation.actuators.fake_launchdarkly import SEMANTIC, SERVER, FakeLaunchDarkly
from tests.automation.actuators.subjects import subject_of

PAGE = f"{SERVER}/shop/production/features/new-checkout"
OFF, ON = {"enabled": False}, {"enabled": True}


pytestmark = pytest.mark.usefixtures("every_secret")


def launchdarkly(target: Any, **settings: Any) -> Any:
    return subject_of("launchdarkly").actuator(target, **settings)


def growthbook(target: Any, **settings: Any) -> Any:
    return subject_of("growthbook").actuator(target, **settings)


# ---------- 405 / 403 of flag systems: the plan waits there


def test_405_of_launchdarkly_the_plan_waits_there_with_the_link() -> None:
    target = FakeLaunchDarkly(approval_required=True)
    there = launchdarkly(target)
    before = there.read("new-checkout")
    there.dry_run("new-checkout", OFF, before)  # an approval is no refusal
    (approval, _) = there.preflights("new-checkout", OFF, before)
    assert (approval.name, approval.passed) == ("no_other_approval", None) and PAGE in approval.answer
    with pytest.raises(AwaitingApproval) as caught:
        there.apply("new-checkout", OFF, before, "n")
    assert caught.value.url == PAGE and isinstance(caught.value.outcome, Deferred)
    assert target.flag["on"] and target.writes == 0
    target.flag["on"] = False  # approved and applied over there
    assert there.shows(there.apply("new-checkout", OFF, before, "n"), OFF)
    assert target.writes == 0


@pytest.mark.parametrize("status", [400, 403])
def test_403_of_growthbook_the_plan_waits_there_with_the_link(status: int) -> None:
    target = FakeGrowthBook(refuses=(status, REVIEW))
    there = growthbook(target)
    before = there.read("new-checkout")
    with pytest.raises(AwaitingApproval) as caught:
        there.apply("new-checkout", OFF, before, "n")
    assert caught.value.url == "https://app.growthbook.io/features/new-checkout" and "review" in str(caught.value)
    assert target.environment["enabled"] and target.writes == 0


def test_403_that_is_no_approval_is_a_refusal_that_names_the_variable() -> None:
    target = FakeGrowthBook(refuses=(403, "You do not have permission to complete that action."))
    there = growthbook(target)
    before = there.read("new-checkout")
    outcome = outcome_of(lambda: there.apply("new-checkout", OFF, before, "n"))
    assert isinstance(outcome, Rejected) and "GROWTHBOOK_TOKEN" in outcome.reason


def test_409_of_launchdarkly_is_a_conflict() -> None:
    target = FakeLaunchDarkly(collides=True)
    there = launchdarkly(target)
    before = there.read("new-checkout")
    for act in (there.apply, lambda item, desired, before, _: there.dry_run(item, desired, before)):
        with pytest.raises(Conflict, match="pending scheduled change"):
            act("new-checkout", OFF, before, "n")
    assert there.preflights("new-checkout", OFF, before)[0].passed is None


# ---------- LaunchDarkly


def test_the_dry_run_of_launchdarkly_changes_nothing() -> None:
    target = FakeLaunchDarkly()
    there = launchdarkly(target)
    before = there.read("new-checkout")
    assert isinstance(there, Previews)
    there.dry_run("new-checkout", OFF, before)
    assert target.flag["on"] and target.writes == 0
    assert dict(target.requests[-1].url.params) == {"dryRun": "true"}


def test_launchdarkly_gets_a_semantic_patch_with_the_plan_as_comment_and_the_token_as_it_is() -> None:
    target = FakeLaunchDarkly()
    there = launchdarkly(target)
    there.apply("new-checkout", OFF, there.read("new-checkout"), "plan 3fa9c2")
    (patch,) = (one for one in target.requests if one.method == "PATCH")
    assert target.sent("PATCH") == [
        {"environmentKey": "production", "comment": "plan 3fa9c2", "instructions": [{"kind": "turnFlagOff"}]}
    ]
    assert patch.headers["content-type"] == SEMANTIC and not patch.headers["authorization"].startswith("Bearer")


def test_a_flag_without_an_off_variation_is_said_before() -> None:
    target = FakeLaunchDarkly()
    del target.flag["offVariation"]
    there = launchdarkly(target)
    (approval, row) = there.preflights("new-checkout", OFF, there.read("new-checkout"))
    assert approval.passed is True and row.passed is None and "default in their code" in row.answer


@pytest.mark.parametrize("kind", ["launchdarkly", "growthbook"])
def test_an_environment_that_the_flag_does_not_have_names_the_setting(kind: str) -> None:
    subject = subject_of(kind)
    outcome = outcome_of(lambda: subject.actuator(subject.fake(), flag_environment="live").read("new-checkout"))
    assert isinstance(outcome, Rejected) and outcome.whole_destination and "flag_environment" in outcome.reason


@descriptions.needs("launchdarkly")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/v2/flag/shop/new-checkout", None),
        ("PATCH", "/api/v2/flags/shop/new-checkout", {"patch": "none"}),
        ("PATCH", "/api/v2/flags/shop/new-checkout?dryRun=perhaps", {"patch": []}),
    ],
)
def test_the_description_of_launchdarkly_refuses_what_is_wrong(method: str, path: str, body: Any) -> None:
    request = httpx.Request(method, SERVER + path, json=body, headers={"authorization": "t"})
    with pytest.raises(Exception, match=r"Invalid|not found|validation|parameter error"):
        descriptions.check("launchdarkly", SERVER, request)


@descriptions.needs("launchdarkly")
def test_the_description_of_launchdarkly_knows_no_semantic_patch() -> None:
    """Why the simulated one checks path and query only: if this passes one day, the body can be checked as well."""
    content, headers = b'{"instructions": []}', {"authorization": "t", "content-type": SEMANTIC}
    request = httpx.Request("PATCH", f"{SERVER}/api/v2/flags/shop/f", content=content, headers=headers)
    with pytest.raises(Exception, match=r"[Ii]nvalid|validation|not found|required"):
        descriptions.check("launchdarkly", SERVER, request)


# ---------- GrowthBook


def test_what_growthbook_serves_is_seen_by_a_second_path() -> None:
    target = FakeGrowthBook()
    there = growthbook(target)
    assert isinstance(there, VerifiesEffect)
    assert there.effect("new-checkout", OFF) is False and there.effect("new-checkout", ON) is True
    target.environment["enabled"] = False
    assert there.effect("new-checkout", OFF) is True and there.effect("new-checkout", ON) is False
    assert growthbook(target, client_key=None).effect("new-checkout", OFF) is None

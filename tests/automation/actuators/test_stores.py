"""Google Play and App Store Connect: what the contract does not ask."""

from __future__ import annotations

import httpx
import jwt
import pytest

from dagster_project.automation.actuators.base import Conflict
from dagster_project.automation.outcomes import NotSent, Rejected, outcome_of
from tests.automation.actuators.fake_app_store import FakeAppStore
from tests.automation.actuators.fake_google_play import FakeGooglePlay
from tests.automation.actuators.subjects import built, row

HALT, BACK = {"halted": True}, {"version": "5.1.0"}
NOTE = "plan 3fa9c2"

pytestmark = pytest.mark.usefixtures("every_secret")


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


def test_a_change_between_the_read_and_the_edit_is_a_conflict() -> None:
    target = FakeGooglePlay()
    before = built("google_play", target).read("production")

    def late(request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.url.path.endswith("/edits") and target.made == 2:
            target.tamper()  # the first edit is the reading above, the second that of `apply`
        return target(request)

    with pytest.raises(Conflict):
        built("google_play", late).apply("production", HALT, before, NOTE)
    assert target.releases[0]["status"] == "inProgress" and target.writes == 0


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

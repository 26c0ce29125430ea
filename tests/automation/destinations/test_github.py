"""GitHub Issues: requests, look-ups, and the outcome of each failure."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.base import Closeable, ReadsTicket, TicketDestination
from dagster_project.automation.destinations.github import GitHubIssues, GitHubSettings
from dagster_project.automation.outcomes import (
    Confirmed,
    Deferred,
    DeliveryError,
    Failure,
    NotSent,
    Rejected,
    Unknown,
    outcome_of,
)
from dagster_project.automation.ticket import marker_line
from dagster_project.automation.tickets.brief import render
from dagster_project.automation.tickets.push import PushReport, push
from dagster_project.home import Home
from tests.automation import descriptions
from tests.automation.fake_github import TOKEN, FakeGitHub, check
from tests.automation.support import CHECKOUT, DELIVERY, NOW, publish, resolved

TICKET = render(CHECKOUT, "github")
NOTED = replace(render(replace(CHECKOUT, priority="P2"), "github"), note="Priority lowered.", note_key="a" * 24)
OVER = replace(render(resolved(CHECKOUT), "github"), note="Resolved.", note_key="b" * 24)


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)


@pytest.fixture
def github() -> FakeGitHub:
    return FakeGitHub()


def issues(handler: Callable[[httpx.Request], httpx.Response], **settings: Any) -> GitHubIssues:
    chosen = {"repository": "acme/shop", "token_env": "SHOP_TOKEN", "pace_seconds": 0, **settings}
    return GitHubIssues(
        GitHubSettings.model_validate({"kind": "github", **chosen}), transport=httpx.MockTransport(handler)
    )


def answering(status: int, message: str = "no", **headers: str) -> GitHubIssues:
    reply = httpx.Response(
        status, json={"message": message}, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    return issues(lambda _: reply)


def test_it_is_a_destination(github: FakeGitHub) -> None:
    destination: TicketDestination = issues(github)
    assert isinstance(destination, ReadsTicket) and isinstance(destination, Closeable)


@descriptions.needs("github")
def test_the_description_refuses_what_is_wrong() -> None:
    url = "https://api.github.com/repos/acme/shop/issues"
    check(httpx.Request("POST", url, json={"title": "fine"}))
    with pytest.raises(Exception, match=r"InvalidRequestBody|validation"):
        check(httpx.Request("POST", url, json={"body": "no title"}))
    with pytest.raises(Exception, match=r"[Pp]arameter"):
        check(httpx.Request("GET", url, params={"state": "half-open"}))


# ---------- what is sent


def test_a_ticket_is_opened_with_one_request(github: FakeGitHub) -> None:
    made = issues(github).create(TICKET)
    assert (made.external_id, made.url, made.closed) == ("1", "https://github.example/acme/shop/issues/1", False)
    assert made.says(TICKET)
    (request,) = github.requests
    assert request.headers["x-github-api-version"] == "2022-11-28"
    assert request.headers["accept"] == "application/vnd.github+json"
    assert github.sent("POST") == [
        {"title": TICKET.title, "body": TICKET.body, "labels": ["feedback-control", *TICKET.labels]}
    ]


def test_an_update_keeps_what_people_added(github: FakeGitHub) -> None:
    destination = issues(github)
    destination.create(TICKET)
    github.issues[0]["labels"].append({"name": "needs-triage"})
    github.issues[0]["state"] = "closed"
    destination.update("1", NOTED)
    (sent,) = github.sent("PATCH")
    assert sent["labels"] == [
        "feedback-control",
        "type: checkout_failure",
        "product: shop-app",
        "needs-triage",
        "priority: P2",
    ]
    assert "state" not in sent


def test_a_note_is_a_comment_made_once(github: FakeGitHub) -> None:
    destination = issues(github)
    destination.create(TICKET)
    destination.update("1", NOTED)
    destination.update("1", NOTED)
    destination.update("1", TICKET)
    assert [one["body"] for one in github.comments[1]] == [f"Priority lowered.\n\n{marker_line('a' * 24)}"]


def test_resolving_closes_as_completed_once(github: FakeGitHub) -> None:
    destination = issues(github)
    destination.create(TICKET)
    assert destination.resolve("1", OVER).says(OVER)
    assert (github.issues[0]["state"], github.issues[0]["state_reason"]) == ("closed", "completed")
    github.issues[0]["state_reason"] = "not_planned"
    destination.resolve("1", OVER)
    assert github.issues[0]["state_reason"] == "not_planned"
    assert len(github.comments[1]) == 1


def test_reopening_takes_our_closing_back(github: FakeGitHub) -> None:
    destination = issues(github)
    destination.create(TICKET)
    destination.resolve("1", OVER)
    assert not destination.update("1", replace(TICKET, reopens=True)).closed


# ---------- what is read back


def test_markers_are_found_over_all_pages_oldest_first(github: FakeGitHub) -> None:
    github.page_size = 7
    destination = issues(github)
    for number in range(20):
        destination.create(render(replace(CHECKOUT, issue_id=f"ISS-{number}"), "github"))
    destination.create(TICKET)
    destination.create(TICKET)
    github.requests.clear()
    assert [found.external_id for found in destination.find_by_marker(TICKET.marker)] == ["21", "22"]
    assert [request.url.params["page"] for request in github.requests] == ["1", "2", "3", "4"]
    assert {request.url.host for request in github.requests} == {"api.github.com"}  # wherever a Link header points
    assert {request.url.params["labels"] for request in github.requests} == {"feedback-control"}


def test_a_full_last_page_without_links_is_followed_by_another_look(github: FakeGitHub) -> None:
    destination = issues(github)
    for number in range(100):
        destination.create(render(replace(CHECKOUT, issue_id=f"ISS-{number}"), "github"))
    assert destination.find_by_marker(TICKET.marker) == []
    assert github.requests[-1].url.params["page"] == "2"


def test_a_ticket_whose_label_was_dropped_is_found_by_time(github: FakeGitHub) -> None:
    github.may_label = False
    destination = issues(github, creator="bot")
    destination.create(TICKET)
    github.requests.clear()
    assert len(destination.find_by_marker(TICKET.marker, NOW - timedelta(hours=1))) == 1
    first, second = (dict(request.url.params) for request in github.requests)
    assert first["labels"] == "feedback-control" and "labels" not in second
    assert second["since"] == "2026-06-01T11:00:00Z"
    assert second["creator"] == "bot"


def test_pull_requests_and_quoted_markers_are_no_tickets(github: FakeGitHub) -> None:
    destination = issues(github)
    destination.create(TICKET)
    github.issues[0]["pull_request"] = {"url": "x"}
    destination.create(replace(TICKET, body=f"see `{marker_line(TICKET.marker)}` there"))
    assert destination.find_by_marker(TICKET.marker) == []


def test_a_deleted_issue_is_read_as_gone_and_refused_for_itself_alone(github: FakeGitHub) -> None:
    destination = issues(github)
    assert destination.read("7") is None
    outcome = outcome_of(lambda: destination.update("7", TICKET))
    assert isinstance(outcome, Rejected) and not outcome.whole_destination
    assert "deleted or moved away from acme/shop" in outcome.reason


# ---------- what each failure means


def raising(error: type[httpx.HTTPError]) -> GitHubIssues:
    def handler(request: httpx.Request) -> httpx.Response:
        raise error("it went wrong", request=request)  # type: ignore[call-arg]

    return issues(handler)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError, NotSent),
        (httpx.ConnectTimeout, NotSent),
        (httpx.PoolTimeout, NotSent),
        (httpx.ProxyError, NotSent),
        (httpx.ReadTimeout, Unknown),
        (httpx.WriteTimeout, Unknown),
        (httpx.ReadError, Unknown),
        (httpx.WriteError, Unknown),
        (httpx.RemoteProtocolError, Unknown),
    ],
)
def test_a_lost_connection(error: type[httpx.HTTPError], kind: type[Failure]) -> None:
    assert isinstance(outcome_of(lambda: raising(error).create(TICKET)), kind)
    reading = outcome_of(lambda: raising(error).update("1", TICKET))  # it reads first, which changes nothing
    assert isinstance(reading, NotSent)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_an_error_of_the_server_leaves_a_write_unknown(status: int) -> None:
    outcome = outcome_of(lambda: answering(status, retry_after="5").create(TICKET))
    assert isinstance(outcome, Unknown) and str(status) in outcome.reason


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"number": 1}'])
def test_an_answer_of_another_form_is_unknown(content: bytes) -> None:
    destination = issues(lambda _: httpx.Response(201, content=content))
    assert isinstance(outcome_of(lambda: destination.create(TICKET)), Unknown)


@pytest.mark.parametrize(
    ("status", "whole", "says"),
    [
        (401, True, "the secret in SHOP_TOKEN is wrong or has expired"),
        (403, True, "give the token in SHOP_TOKEN the right to write issues of acme/shop"),
        (404, True, "check repository and SHOP_TOKEN"),
        (410, True, "issues are switched off in acme/shop"),
        (301, True, "set repository to its new name"),
        (307, True, "set repository to its new name"),
        (422, False, "Validation Failed"),
        (400, False, "Validation Failed"),
    ],
)
def test_a_refusal_says_which_setting_to_fix(status: int, whole: bool, says: str) -> None:
    outcome = outcome_of(lambda: answering(status, "Validation Failed").create(TICKET))
    assert isinstance(outcome, Rejected)
    assert (outcome.whole_destination, says in outcome.reason) == (whole, True), outcome.reason


@pytest.mark.parametrize("status", [301, 403, 404, 410])
def test_a_refusal_of_one_issue_is_not_one_of_all(status: int) -> None:
    outcome = outcome_of(lambda: answering(status).update("7", TICKET))
    assert isinstance(outcome, Rejected) and not outcome.whole_destination


def test_redirects_are_not_followed(github: FakeGitHub) -> None:
    seen = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        return httpx.Response(307, headers={"location": "https://evil.example/"})

    outcome_of(lambda: issues(handler).create(TICKET))
    assert seen == ["api.github.com"]


NOON, RESET = "Mon, 01 Jun 2026 12:00:00 GMT", "1780315300"  # ... which is 100 seconds later
LONG_AGO = format_datetime(datetime(2020, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("status", "message", "headers", "seconds"),
    [
        (429, "slow down", {"retry_after": "30"}, 30),
        (429, "slow down", {}, 60),
        (403, "You have exceeded a secondary rate limit", {}, 60),
        (403, "abuse detection", {"retry_after": "90"}, 90),
        (403, "exceeded", {"x_ratelimit_remaining": "0", "x_ratelimit_reset": RESET, "date": NOON}, 100),
        (429, "at a date", {"retry_after": "Mon, 01 Jun 2026 12:02:00 GMT", "date": NOON}, 120),
        (429, "for ever", {"retry_after": "9" * 30}, 86400),
        (429, "in the past", {"retry_after": LONG_AGO}, 1),
        (429, "nonsense", {"retry_after": "soon"}, 60),
    ],
)
def test_rate_limits_say_how_long(status: int, message: str, headers: dict[str, str], seconds: int) -> None:
    outcome = outcome_of(lambda: answering(status, message, **headers).create(TICKET))
    assert isinstance(outcome, Deferred)
    assert outcome.wait == timedelta(seconds=seconds)


def test_a_used_up_limit_is_respected_before_the_next_request(github: FakeGitHub) -> None:
    github.headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{datetime.now(UTC).timestamp() + 50:.0f}"}
    destination = issues(github)
    assert isinstance(outcome_of(lambda: destination.create(TICKET)), Confirmed)
    outcome = outcome_of(lambda: destination.create(render(DELIVERY, "github")))
    assert isinstance(outcome, Deferred) and timedelta(seconds=40) < outcome.wait <= timedelta(seconds=51)
    assert len(github.requests) == 1


def test_writes_are_paced(github: FakeGitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("dagster_project.automation.http.time.sleep", slept.append)
    destination = issues(github, pace_seconds=1)
    destination.create(TICKET)
    destination.update("1", TICKET)
    assert slept[0] == 0
    assert 0.8 < slept[1] <= 1


@pytest.mark.parametrize("value", ["", "  ", "line\nbreak", "größe"])
def test_a_missing_token_sends_nothing_and_names_its_variable(
    github: FakeGitHub, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", value)
    outcome = outcome_of(lambda: issues(github).create(TICKET))
    assert isinstance(outcome, Rejected) and outcome.whole_destination
    assert "environment variable SHOP_TOKEN" in outcome.reason
    assert not github.requests


# ---------- all the way, through the ledger


def pushed(home: Home, github: FakeGitHub, minutes: float = 0) -> PushReport:
    return push(home, now=NOW + timedelta(minutes=minutes), destinations=[ConfiguredDestination(issues(github))])


FAULTS = ["refused", "timeout before", "timeout after", "reset after", "500 before", "500 after", "nonsense after"]


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_happens_to_the_write_there_is_one_ticket(home: Home, github: FakeGitHub, fault: str) -> None:
    publish(home, [CHECKOUT])
    github.fault = fault
    first = pushed(home, github)
    assert (first.created, first.unknown + first.deferred) == (0, 1)
    assert len(first.problems) == 1
    early = pushed(home, github, minutes=0.5)
    assert (early.created, len(github.sent("POST"))) == (0, 1)  # not before it must be visible
    later = pushed(home, github, minutes=2)
    assert (later.created, later.problems) == (1, [])
    assert len(github.issues) == 1
    assert pushed(home, github, minutes=3).unchanged == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_happens_to_an_update_it_is_told_once(home: Home, github: FakeGitHub, fault: str) -> None:
    publish(home, [CHECKOUT])
    pushed(home, github)
    publish(home, [replace(CHECKOUT, priority="P2")])
    github.fault = fault  # hits the comment, which comes first
    pushed(home, github, minutes=1)
    pushed(home, github, minutes=3)
    assert github.issues[0]["title"].startswith("[P2]")
    assert len(github.comments[1]) == 1


def test_a_rate_limit_stops_the_run_and_holds_the_next(home: Home, github: FakeGitHub) -> None:
    publish(home, [CHECKOUT, DELIVERY])
    github.fault = httpx.Response(429, headers={"retry-after": "600"}, json={})
    assert pushed(home, github).deferred == 2
    asked = len(github.requests)
    held = pushed(home, github, minutes=5)
    assert held.deferred == 2 and "2026-06-01 12:10 UTC" in held.problems[0]
    assert len(github.requests) == asked
    assert pushed(home, github, minutes=11).created == 2


def test_a_malformed_ticket_does_not_hold_up_the_others(home: Home, github: FakeGitHub) -> None:
    publish(home, [CHECKOUT, DELIVERY])
    github.fault = httpx.Response(422, json={"message": "Validation Failed: title is too long"})
    report = pushed(home, github)
    assert (report.created, report.rejected) == (1, 1)
    again = pushed(home, github, minutes=10)
    assert (again.rejected, again.unchanged, len(github.sent("POST"))) == (1, 1, 2)
    assert "title is too long" in again.problems[0]
    publish(home, [replace(CHECKOUT, priority="P2"), DELIVERY])  # it says something else now: worth a try
    assert pushed(home, github, minutes=20).created == 1


def test_a_wrong_token_is_tried_once_a_run_until_it_is_right(
    home: Home, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(home, [CHECKOUT, DELIVERY])
    monkeypatch.setenv("SHOP_TOKEN", "ghp_wrong")
    report = pushed(home, github)
    assert (report.rejected, report.deferred, len(github.requests)) == (0, 2, 1)  # the search before the first write
    assert "SHOP_TOKEN" in report.problems[0]
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    assert pushed(home, github, minutes=1).created == 2


def test_the_token_shows_nowhere(home: Home, github: FakeGitHub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    publish(home, [CHECKOUT])
    faults: list[str | httpx.Response] = [
        httpx.Response(422, json={"message": f"your token {TOKEN} is odd"}),
        "timeout after",
    ]
    for number, fault in enumerate(faults):
        github.fault = fault
        report = pushed(home, github, minutes=number * 2000)
        assert report.problems and TOKEN not in str(report)
    with closing(sqlite3.connect(home.root / "ledger.sqlite")) as connection:
        assert "***" in str(connection.execute("select reason from attempts").fetchall())
    assert TOKEN not in caplog.text
    assert not [path for path in home.root.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert TOKEN not in repr(vars(issues(github)))


def test_an_echoing_error_is_cleaned_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"proxy said: {request.headers['authorization']}")

    with pytest.raises(DeliveryError) as caught:
        issues(handler).create(TICKET)
    assert TOKEN not in str(caught.value) and "***" in str(caught.value)

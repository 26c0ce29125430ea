"""Behaviour of single tools; behaviour of all of them is in test_contract.py."""

from __future__ import annotations

import base64
import email.utils
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from dagster_project.automation import cloudevents
from dagster_project.automation.http import wait_of
from dagster_project.automation.outcomes import DeliveryError, Rejected, outcome_of
from dagster_project.automation.standard_webhooks import signature
from dagster_project.automation.tickets.brief import render
from tests.automation import descriptions, fake_jira, fake_request_tracker, fake_servicenow, fake_slack
from tests.automation.destinations.test_contract import SUBJECTS, Subject
from tests.automation.support import CHECKOUT, DELIVERY, NOW, resolved

BY_KIND = {subject.kind: subject for subject in SUBJECTS}
LOWERED = replace(CHECKOUT, priority="P2")


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tool's secret is set."""
    for subject in SUBJECTS:
        monkeypatch.setenv(*subject.secret)


def destination(kind: str, target: Any, **settings: Any) -> Any:
    subject: Subject = BY_KIND[kind]
    return subject.destination(target, **settings)


def noted(issue: Any, kind: str, note: str = "Changed.") -> Any:
    return replace(render(issue, kind), note=note, note_key="a" * 24)


# ---------- the descriptions can refuse


@pytest.mark.parametrize(
    ("name", "server", "path", "wrong"),
    [
        ("jira-cloud-v3", "https://your-domain.atlassian.net", "/rest/api/3/issue", {"fields": "none"}),
        ("servicenow-table", "https://instance.servicenow.com", "/api/now/tables/incident", {}),
        ("opsgenie", "https://api.opsgenie.com", "/v2/alerts", {"alias": "no message"}),
        ("opsgenie", "https://api.opsgenie.com", "/v2/alerts", {"message": "m", "priority": "P7"}),
    ],
)
def test_the_descriptions_refuse_what_is_wrong(name: str, server: str, path: str, wrong: dict[str, Any]) -> None:
    if not descriptions.path_of(name).exists():
        pytest.skip(f"the API description {name} is not at hand")
    with pytest.raises(Exception, match=r"Invalid|validation|required|not described|not one of|not found"):
        request = httpx.Request("POST", server + path, json=wrong, headers={"authorization": "Basic YTpi"})
        descriptions.check(name, server, request)


# ---------- Jira


def test_jira_keeps_what_people_labelled_and_replaces_what_we_did() -> None:
    target = fake_jira.FakeJira()
    there = destination("jira", target, priority_names={"P1": "Highest"}, fields={"components": '[{"name": "Cart"}]'})
    there.create(render(CHECKOUT, "jira"))
    issue = target.issues["OPS-1"]
    assert issue["fields"]["priority"] == {"name": "Highest"}
    assert {"feedback-control", "priority:P1", "product:shop-app"} <= set(issue["fields"]["labels"])
    issue["fields"]["labels"].append("mine")
    issue["fields"]["priority"] = {"name": "Chosen by a person"}
    there.update("OPS-1", replace(noted(LOWERED, "jira"), note=""))
    assert {"mine", "priority:P2"} <= set(issue["fields"]["labels"])
    assert "priority:P1" not in issue["fields"]["labels"]
    assert issue["fields"]["priority"] == {"name": "Chosen by a person"}


def test_jira_sends_a_field_that_is_json_as_json() -> None:
    target = fake_jira.FakeJira()
    there = destination("jira", target)
    ticket = replace(render(CHECKOUT, "jira"), fields=(("components", '[{"name": "Cart"}]'), ("customfield_1", "{x")))
    there.create(ticket)
    fields = target.issues["OPS-1"]["fields"]
    assert (fields["components"], fields["customfield_1"]) == ([{"name": "Cart"}], "{x")


def test_jira_takes_the_transition_that_the_workflow_has() -> None:
    target = fake_jira.FakeJira(workflow=[("5", "Cancel", "done"), ("7", "Ship it", "done"), ("9", "Back", "new")])
    there = destination("jira", target, done_transition="Ship it")
    there.create(render(CHECKOUT, "jira"))
    over = noted(resolved(CHECKOUT), "jira", "Resolved.")
    assert there.resolve("OPS-1", over).closed
    assert target.sent("POST")[-1] == {"transition": {"id": "7"}}
    asked = len(target.sent("POST"))
    there.resolve("OPS-1", over)  # closed already: no second transition, no second comment
    assert len(target.sent("POST")) == asked
    target.workflow = [("5", "Cancel", "done")]
    outcome = outcome_of(lambda: there.update("OPS-1", replace(noted(CHECKOUT, "jira"), reopens=True)))
    assert isinstance(outcome, Rejected) and "no transition of OPS-1" in outcome.reason and "Cancel" in outcome.reason


def test_jira_reads_pages_to_their_end() -> None:
    target = fake_jira.FakeJira(page_size=1)
    there = destination("jira", target)
    ticket = render(CHECKOUT, "jira")
    for _ in range(3):
        there.create(ticket)
    assert [one.external_id for one in there.find_by_marker(ticket.marker)] == ["OPS-1", "OPS-2", "OPS-3"]
    there.update("OPS-1", noted(LOWERED, "jira"))
    for number in range(3):
        target.act("comment", f"talk {number}")
    there.update("OPS-1", noted(LOWERED, "jira"))
    assert sum("Changed." in note for note in target.records()[0].notes) == 1
    assert there.read("OPS-77") is None


def test_jira_is_asked_for_the_whole_changelog_where_its_search_may_have_cut_it() -> None:
    target = fake_jira.FakeJira(page_size=2, latest=3)
    there = destination("jira", target)
    there.create(render(CHECKOUT, "jira"))
    begin = target.now
    people = [f"person {number}" for number in range(5)]
    for since, number in ((begin, 2), (begin, 5), (None, 5)):
        for person in people[len(target.issues["OPS-1"]["histories"]) : number]:
            target.act("assign", person)
        target.requests.clear()
        told = list(there.changes_since(since or target.now))
        whole = [one for one in target.requests if one.url.path.endswith("/changelog")]
        assert sorted(one.value for one in told) == (people[:number] if since else people[-1:])
        assert len(whole) == (3 if since and number == 5 else 0)  # pages of two


# ---------- ServiceNow


def test_servicenow_says_so_when_the_marker_was_not_kept() -> None:
    target = fake_servicenow.FakeServiceNow(columns={"short_description", "description", "correlation_display"})
    there = destination("servicenow", target)
    outcome = outcome_of(lambda: there.create(render(CHECKOUT, "servicenow")))
    assert isinstance(outcome, Rejected) and outcome.whole_destination and "correlation_id" in outcome.reason
    assert there.find_by_marker("f" * 24) == []  # although the condition was ignored, and every record came back


def test_servicenow_gets_state_note_and_text_in_one_request() -> None:
    target = fake_servicenow.FakeServiceNow()
    there = destination("servicenow", target)
    opened = there.create(replace(render(CHECKOUT, "servicenow"), fields=(("assignment_group", "Checkout"),)))
    row = target.rows[0]
    assert (row["impact"], row["urgency"], row["assignment_group"]) == ("1", "1", "Checkout")
    row["assignment_group"] = "Somebody else"
    written = target.writes
    there.resolve(opened.external_id, noted(resolved(LOWERED), "servicenow", "Resolved."))
    assert target.writes == written + 1
    assert (row["state"], row["close_notes"], row["notes"]) == ("6", "Resolved.", ["Resolved."])
    assert row["assignment_group"] == "Somebody else"
    row["state"] = "7"  # closed by a person: stays so
    there.update(opened.external_id, noted(CHECKOUT, "servicenow"))
    assert row["state"] == "7"
    assert there.read("0" * 31 + "9") is None


# ---------- Request Tracker


def test_rt_is_not_written_to_without_the_field_for_the_marker() -> None:
    target = fake_request_tracker.FakeRequestTracker(has_field=False)
    outcome = outcome_of(lambda: destination("request_tracker", target).create(render(CHECKOUT, "request_tracker")))
    assert isinstance(outcome, Rejected) and outcome.whole_destination
    assert "check custom_field" in outcome.reason and not target.tickets


def test_rt_that_took_only_a_part_is_not_believed() -> None:
    target = fake_request_tracker.FakeRequestTracker()
    there = destination("request_tracker", target)
    there.create(render(CHECKOUT, "request_tracker"))
    target.takes_fields = False
    with pytest.raises(DeliveryError, match="did not take the change of ticket 1"):
        there.update("1", noted(LOWERED, "request_tracker"))


# ---------- Slack


def test_slack_reads_the_history_to_its_end_and_replies_once() -> None:
    target = fake_slack.FakeSlack(page_size=2)
    there = destination("slack", target)
    first = there.create(render(CHECKOUT, "slack"))
    for number in range(5):
        there.create(render(replace(DELIVERY, issue_id=f"ISS-{number}"), "slack"))
    assert there.find_by_marker(render(CHECKOUT, "slack").marker, NOW) == [there.read(first.external_id)]
    for _ in range(2):
        there.update(first.external_id, noted(LOWERED, "slack"))
    assert target.records()[0].notes == ("Changed.",)
    assert there.read("1.000001") is None
    assert first.url == f"https://slack.com/archives/{fake_slack.CHANNEL}/p{first.external_id.replace('.', '')}"


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        ("internal_error", "Unknown", "internal_error"),
        ("ratelimited", "Deferred", "ratelimited"),
        ("is_archived", "Rejected", "check channel"),
        ("token_revoked", "Rejected", "SLACK_BOT_TOKEN"),
        ("msg_too_long", "Rejected", "msg_too_long"),
    ],
)
def test_slack_refuses_with_200(error: str, kind: str, says: str) -> None:
    outcome: Any = outcome_of(lambda: destination("slack", fake_slack.FakeSlack(error=error)).create(SLACKS))
    assert type(outcome).__name__ == kind and says in outcome.reason


SLACKS = render(CHECKOUT, "slack")


# ---------- rate limits


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "40", "x-ratelimit-reset": "9"}, 40),
        ({"x-ratelimit-reset": "25"}, 25),  # Roundup: so many seconds
        ({"x-ratelimit-reset": f"{NOW.timestamp() + 50:.0f}"}, 50),  # GitHub: an instant
        ({"x-ratelimit-reset": f"{NOW.timestamp() - 50:.0f}"}, 1),
        ({"x-ratelimit-reset": "soon"}, 60),
        ({}, 60),
    ],
)
def test_how_long_a_rate_limit_holds_is_understood_however_it_is_said(headers: dict[str, str], seconds: int) -> None:
    date = email.utils.format_datetime(NOW, usegmt=True)  # the target's clock counts, not ours
    assert wait_of(httpx.Response(429, headers={"date": date, **headers})) == timedelta(seconds=seconds)


# ---------- events


def test_the_signature_is_the_one_of_standard_webhooks() -> None:
    # The worked example in the Standard Webhooks specification's libraries.
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    assert signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_an_event_keeps_its_id_when_it_is_told_again_and_no_other_has_it() -> None:
    ticket = render(CHECKOUT, "webhook")
    told = [
        cloudevents.incident_event("detected", ticket, NOW),
        cloudevents.incident_event("updated", replace(ticket, note_key="b"), NOW),
        cloudevents.incident_event("updated", replace(ticket, note_key="c"), NOW),  # back to the same words, later
        cloudevents.incident_event("resolved", render(resolved(CHECKOUT), "webhook"), NOW),
    ]
    assert len({event["id"] for event in told}) == 4
    assert cloudevents.incident_event("detected", ticket, NOW.replace(year=2030))["id"] == told[0]["id"]
    assert told[0]["type"] == "feedback-control.incident.detected.v1" and told[0]["specversion"] == "1.0"

"""PagerDuty: idempotent retries of alerts, validated against PagerDuty's own description."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.base import FindsByMarker, RepeatsSafely
from dagster_project.automation.destinations.pagerduty import PagerDuty, PagerDutySettings
from dagster_project.automation.ledger.intents import State
from dagster_project.automation.ledger.ledger import Ledger
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
from dagster_project.automation.tickets.brief import render
from dagster_project.automation.tickets.push import push
from dagster_project.home import Home
from tests.automation import descriptions
from tests.automation.fake_pagerduty import KEY, FakePagerDuty, check
from tests.automation.support import CHECKOUT, NOW, publish, resolved

TICKET = render(CHECKOUT, "pagerduty")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGERDUTY_ROUTING_KEY", KEY)


def duty(handler: Callable[[httpx.Request], httpx.Response], **settings: Any) -> PagerDuty:
    chosen = PagerDutySettings.model_validate({"kind": "pagerduty", "pace_seconds": 0, **settings})
    return PagerDuty(chosen, transport=httpx.MockTransport(handler))


@descriptions.needs("pagerduty-events-v2")
def test_the_description_refuses_what_is_wrong() -> None:
    url = "https://events.pagerduty.com/v2/enqueue"
    payload = {"summary": "s", "source": "s", "severity": "critical"}
    fine = {"routing_key": KEY, "event_action": "trigger", "payload": payload}
    check(httpx.Request("POST", url, json=fine))
    for wrong in ({"event_action": "shout"}, {"payload": {**payload, "severity": "P1"}}):
        with pytest.raises(Exception, match=r"InvalidRequestBody|validation"):
            check(httpx.Request("POST", url, json={**fine, **wrong}))


def test_its_power_is_that_it_takes_a_key_once() -> None:
    service = FakePagerDuty()
    assert isinstance(duty(service), RepeatsSafely) and not isinstance(duty(service), FindsByMarker)
    first, second = duty(service).create(TICKET), duty(service).create(TICKET)
    assert first == second and len(service.alerts) == 1 and first.says(TICKET)


def test_an_alert_is_triggered_updated_and_resolved_under_one_key() -> None:
    service = FakePagerDuty()
    destination = duty(service, severities={"P2": "warning"})
    destination.create(TICKET)
    (alert,) = service.alerts.values()
    assert (alert["severity"], alert["summary"]) == ("critical", TICKET.title)
    assert "184 complaints" in alert["custom_details"]["brief"] and "**" not in alert["custom_details"]["brief"]
    noted = replace(TICKET, priority="P2", note="Priority lowered.", fields=(("runbook", "https://example.com"),))
    destination.update(TICKET.marker, noted)
    assert alert["severity"] == "warning" and alert["custom_details"]["latest change"] == "Priority lowered."
    assert alert["custom_details"]["runbook"] == "https://example.com"
    over = render(resolved(CHECKOUT), "pagerduty")
    assert destination.resolve(TICKET.marker, over).says(over) and alert["closed"]
    assert not destination.resolve(TICKET.marker, replace(over, keeps_open=True)).closed
    assert not alert["closed"] and len(service.alerts) == 1


def test_a_lost_answer_is_settled_by_repeating_also_when_the_issue_is_over_by_then(home: Home) -> None:
    service = FakePagerDuty(fault="timeout after")
    configured = ConfiguredDestination(duty(service))
    publish(home, [CHECKOUT])
    assert push(home, now=NOW, destinations=[configured]).unknown == 1
    publish(home, [resolved(CHECKOUT)])
    assert (
        push(home, now=NOW + timedelta(seconds=30), destinations=[configured]).unknown == 1
    )  # not before the settle time
    report = push(home, now=NOW + timedelta(minutes=5), destinations=[configured])
    assert (report.created, report.resolved) == (1, 1)
    assert [alert["closed"] for alert in service.alerts.values()] == [True]
    sent = len(service.events)
    assert push(home, now=NOW + timedelta(minutes=9), destinations=[configured]).counts["unchanged"] == 0
    assert len(service.events) == sent == 3


def test_a_lost_alert_whose_retry_is_refused_is_left_to_a_person(home: Home) -> None:
    service = FakePagerDuty(fault="timeout after")
    publish(home, [CHECKOUT])
    push(home, now=NOW, destinations=[ConfiguredDestination(duty(service))])
    publish(home, [resolved(CHECKOUT)])
    refusing = [ConfiguredDestination(answering(400, "payload.summary is too long"))]
    report = push(home, now=NOW + timedelta(minutes=5), destinations=refusing)
    assert report.rejected == 1 and "dead-letters settle" in report.problems[0]
    letters = Ledger(home.ledger_url).dead_letters
    (letter,) = letters.all()
    assert letter.intent.state is State.HELD and "payload.summary is too long" in letter.intent.reason
    well = [ConfiguredDestination(duty(service))]
    push(home, now=NOW + timedelta(days=2), destinations=well)
    assert [alert["closed"] for alert in service.alerts.values()] == [False]  # nothing is sent before somebody looked
    assert letters.settle(letter, (TICKET.marker, ""), NOW + timedelta(days=2))
    assert push(home, now=NOW + timedelta(days=2), destinations=well).resolved == 1
    assert [alert["closed"] for alert in service.alerts.values()] == [True]


def answering(status: int, text: str = "no", **headers: str) -> PagerDuty:
    return duty(lambda _: httpx.Response(status, text=text, headers=headers))


@pytest.mark.parametrize(
    ("status", "text", "outcome", "says"),
    [
        (400, '{"errors": ["invalid routing_key"]}', Rejected, "PAGERDUTY_ROUTING_KEY is wrong"),
        (400, '{"errors": ["payload.summary is too long"]}', Rejected, "summary is too long"),
        (403, "no", Rejected, "PAGERDUTY_ROUTING_KEY is wrong"),
        (404, "no", Rejected, "check base_url"),
        (429, "slow down", Deferred, "too many requests"),
        (500, "oops", Unknown, "500"),
        (202, "<html>", Unknown, "not in the form"),
    ],
)
def test_every_answer_has_its_meaning(status: int, text: str, outcome: type[Failure], says: str) -> None:
    found = outcome_of(lambda: answering(status, text).create(TICKET))
    assert isinstance(found, outcome) and not isinstance(found, Confirmed)
    assert says in found.reason


def test_the_key_shows_nowhere_and_its_absence_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = outcome_of(lambda: answering(400, f"what is {KEY}?").create(TICKET))
    assert isinstance(found, Rejected) and KEY not in found.reason
    assert KEY not in repr(duty(FakePagerDuty()))
    monkeypatch.delenv("PAGERDUTY_ROUTING_KEY")
    with pytest.raises(DeliveryError, match="PAGERDUTY_ROUTING_KEY is not set"):
        duty(FakePagerDuty()).create(TICKET)

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused", request=request)

    monkeypatch.setenv("PAGERDUTY_ROUTING_KEY", KEY)
    assert isinstance(outcome_of(lambda: duty(refuse).create(TICKET)), NotSent)


def test_long_and_odd_texts_are_taken() -> None:
    service = FakePagerDuty()
    odd = replace(TICKET, title="\U0001f600" * 3_000, body="<b>*x*</b> \u202e " * 10_000)
    duty(service).create(odd)
    (event,) = service.events
    assert len(event["payload"]["summary"]) == 1_024
    assert event["payload"]["custom_details"]["brief"].endswith("(cut here: too long for this tool)")
    assert len(json.dumps(event)) < 512_000

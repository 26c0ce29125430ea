"""Events about plans reach each sink once, under ids that stay, in the order in which things happened."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dagster_project.automation.destinations import load_destinations
from dagster_project.automation.mitigation.announcing import announce_plans
from dagster_project.automation.tickets.event_delivery import deliver_events
from dagster_project.automation.tickets.push_report import PushReport
from tests.automation.consumer import validator
from tests.automation.mitigation.support import FLAG, ROLLBACK, Stage

SINKS = """version: 1
destinations:
- {kind: events}
- {kind: events, name: urgent, file: urgent.jsonl, priorities: [P1]}
- {kind: local}
"""


@pytest.fixture
def sinks(stage: Stage) -> Stage:
    """A stage with two event files, one of them for P1 alone."""
    (stage.home.root / "destinations.yml").write_text(SINKS, encoding="utf-8")
    return stage


def events(stage: Stage, sink: str = "events") -> list[dict[str, Any]]:
    found = [one.event for one in stage.ledger.event_outbox.due_events(sink, stage.now.replace(year=2030))]
    for event in found:
        validator().validate(event)
    return found


def types(stage: Stage, sink: str = "events") -> list[str]:
    return [event["type"].removeprefix("feedback-control.").removesuffix(".v1") for event in events(stage, sink)]


def test_an_approved_act_and_its_undo_are_told_in_order(sinks: Stage) -> None:
    sinks.run()
    sinks.vote("dana")
    sinks.run(minutes=1)
    sinks.undo(sinks.proposals()[0], "kim")
    sinks.run(minutes=1)
    assert types(sinks) == ["approval.requested", "approval.granted", "environment.modified", "environment.modified"]
    requested, granted, applied, undone = events(sinks)
    assert (requested["data"]["needed"], granted["data"]["actor"]) == (1, "dana")
    assert (applied["data"]["change"], applied["data"]["state"]) == ("applied", {"enabled": False})
    assert (undone["data"]["change"], undone["data"]["state"]) == ("undone", {"enabled": True, "rollout": 50})
    assert undone["data"]["actor"] == "kim"
    assert {event["subject"] for event in events(sinks)} == {"ISS-1"}
    assert {event["data"]["plan_id"] for event in events(sinks)} == {sinks.plans()[0].plan_id}
    order = [event["sequence"] for event in events(sinks)]
    assert order == sorted(set(order))


def test_a_rollback_and_its_undo_are_about_the_service(sinks: Stage) -> None:
    sinks.decide([ROLLBACK])
    sinks.run()
    sinks.vote("dana")
    sinks.undo(sinks.proposals()[0])
    sinks.run()
    assert types(sinks)[2:] == ["service.rolledback", "service.upgraded"]


def test_a_refusal_is_told_and_nothing_else_follows(sinks: Stage) -> None:
    sinks.run()
    sinks.vote("kim", approves=False)
    sinks.run(minutes=1)
    assert types(sinks) == ["approval.requested", "approval.refused"]
    assert events(sinks)[1]["data"]["reason"] == "because"


def test_nobody_is_told_of_shadow_and_nobody_is_asked_in_auto(sinks: Stage) -> None:
    sinks.decide([replace(FLAG, mode="shadow")])
    sinks.run()
    assert sinks.states() == ["shadow"]
    assert types(sinks) == []
    sinks.decide([replace(FLAG, mode="auto", issue_id="ISS-2")])
    sinks.run(minutes=1)
    assert types(sinks) == ["environment.modified"]


def test_a_sink_gets_what_has_its_priorities(sinks: Stage) -> None:
    sinks.decide([replace(FLAG, priority="P2")])
    sinks.run()
    assert (types(sinks), types(sinks, "urgent")) == (["approval.requested"], [])


def test_nothing_is_told_twice_and_two_runs_agree(sinks: Stage) -> None:
    sinks.run()
    told = events(sinks)
    after = sinks.ledger.event_outbox.announced()
    announce_plans(sinks.home, sinks.ledger, sinks.now)
    assert not sinks.ledger.event_outbox.announce((), after=0, until=after, now=sinks.now)
    assert events(sinks) == told
    assert sinks.ledger.event_outbox.announced() == after == sinks.ledger.proposals.newest_event()


def test_an_event_about_a_plan_is_delivered_like_any_other(sinks: Stage) -> None:
    sinks.run()
    (sink,) = [one for one in load_destinations(sinks.home) if one.name == "events"]
    report = PushReport()
    sinks.now += timedelta(minutes=1)
    deliver_events(sinks.ledger, sink.destination, lambda: sinks.now, report, sinks.said.append)
    assert (report.failures, types(sinks)) == ([], [])
    (line,) = (sinks.home.outbound / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["type"] == "feedback-control.approval.requested.v1"
    assert sinks.ledger.verify_audit().holds

"""Compatibility of event schemas, version 1: fields are only ever added.

``published/`` holds the schemas as they were published. To add a field, add it in both places. What breaks a consumer
is a version 2 beside version 1.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from dagster_project.automation import cloudevents
from dagster_project.automation.ledger.intents import Intent, State
from dagster_project.automation.tickets.actions import Action
from dagster_project.automation.tickets.brief import render
from dagster_project.automation.tickets.issues import Issue
from dagster_project.automation.tickets.ticket_events import ticket_event
from tests.automation.consumer import KINDS, published, validator
from tests.automation.support import CHECKOUT, NOW, resolved

_FOR_PEOPLE = {"title", "description"}


def broken(before: Any, after: Any, where: str = "") -> list[str]:
    """Breaking changes between two schemas: the paths at which the later one promises less."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return [] if before == after else [where]
    found = [f"{where}/required/{name}" for name in set(before.get("required", ())) - set(after.get("required", ()))]
    for name in set(before) | set(after):
        if name in _FOR_PEOPLE or name == "required":
            continue
        if name == "properties":
            fields = after.get(name, {})
            for field, schema in before.get(name, {}).items():
                found += broken(schema, fields[field], f"{where}/{field}") if field in fields else [f"{where}/{field}"]
        elif name not in before or name not in after:
            found.append(f"{where}/{name}")
        else:
            found += broken(before[name], after[name], f"{where}/{name}")
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_published_still_holds(kind: str) -> None:
    assert Draft202012Validator.check_schema(cloudevents.schema_of(kind)) is None
    assert broken(published(kind), cloudevents.schema_of(kind)) == []
    added = set(cloudevents.schema_of(kind)["properties"]) - set(published(kind)["properties"])
    assert not added, f"new fields: add them to tests/automation/published as well, so that they stay: {added}"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda schema: schema["properties"].pop("owner"), "/owner"),
        (lambda schema: schema["properties"]["labels"].update(type="string"), "/labels/type"),
        (lambda schema: schema["properties"]["labels"]["items"].update(type="object"), "/labels/items/type"),
        (lambda schema: schema["properties"]["status"]["enum"].append("maybe"), "/status/enum"),
        (lambda schema: schema["properties"]["issue_id"].pop("minLength"), "/issue_id/minLength"),
        (lambda schema: schema["required"].remove("brief"), "/required/brief"),
        (lambda schema: schema.update(additionalProperties=False), "/additionalProperties"),
        (lambda schema: schema.update({"$id": "urn:feedback-control:incident:v2"}), "/$id"),
    ],
)
def test_a_change_that_breaks_consumers_is_found(change: Any, what: str) -> None:
    changed = json.loads(json.dumps(published("incident")))
    change(changed)
    assert broken(published("incident"), changed) == [what]


def test_a_field_may_be_added_and_consumers_take_it() -> None:
    grown = json.loads(json.dumps(published("incident")))
    grown["properties"]["severity"] = {"type": "number"}
    grown["required"].append("severity")
    assert broken(published("incident"), grown) == []
    event = incident("detected", CHECKOUT)
    event["data"]["severity"] = event["partition"] = 1
    validator().validate(event)


def incident(change: Any, issue: Issue) -> dict[str, Any]:
    event = cloudevents.incident_event(change, replace(render(issue, "webhook"), sequence="20260501-000000"), NOW)
    return dict(json.loads(json.dumps(event)))


def ticket(action: Action) -> dict[str, Any]:
    sequence = int(action is not Action.CREATE)
    ticket = render(resolved(CHECKOUT) if action is Action.RESOLVE else CHECKOUT, "jira")
    intent = Intent(
        intent_id="i",
        kind=ticket.kind,
        subject_id=ticket.subject_id,
        destination="jira",
        sequence=sequence,
        action=action,
        is_final=ticket.is_final,
        state=State.CONFIRMED,
        title=ticket.title,
        payload_hash="hash",
        external_id="OPS-1",
        url="https://tracker.example/OPS-1",
        reason="",
        attempts=1,
        not_before=NOW,
        lease_until=None,
        confirmed_at=NOW,
        created_at=NOW,
        owner=ticket.owner,
    )
    return ticket_event(intent, ticket, f"20260501-{sequence:06d}")


PLAN = {
    "issue_id": "ISS-1",
    "plan_id": "3fa9c2" + "0" * 58,
    "mitigation": "flag-off",
    "tier": 1,
    "priority": "P1",
    "target": "control",
    "item": "flags/new-checkout",
}
ACT = {**PLAN, "change": "applied", "state": {"enabled": False}, "actor": "dana"}
APPROVAL = {
    **PLAN,
    "before": {"enabled": True},
    "desired": {"enabled": False},
    "needed": 1,
    "actor": "dana",
    "channel": "command line",
    "reason": "",
    "expires_at": "2026-06-01T20:00:00+00:00",
}


def about_plan(name: str, data: dict[str, Any]) -> dict[str, Any]:
    return cloudevents.event_of(name, "id", data, NOW, "20260501-000000001")


EVERY = {
    "incident.detected": incident("detected", CHECKOUT),
    "incident.updated": incident("updated", replace(CHECKOUT, priority="P2")),
    "incident.resolved": incident("resolved", resolved(CHECKOUT)),
    "ticket.created": ticket(Action.CREATE),
    "ticket.updated": ticket(Action.UPDATE),
    "ticket.closed": ticket(Action.RESOLVE),
    "approval.requested": about_plan("approval.requested", APPROVAL),
    "approval.granted": about_plan("approval.granted", APPROVAL),
    "approval.refused": about_plan("approval.refused", APPROVAL),
    "environment.modified": about_plan("environment.modified", ACT),
    "service.rolledback": about_plan("service.rolledback", {**ACT, "tier": 3}),
    "service.upgraded": about_plan("service.upgraded", {**ACT, "tier": 3, "change": "undone"}),
}


@pytest.mark.parametrize("name", EVERY)
def test_every_event_is_as_published(name: str) -> None:
    event = EVERY[name]
    assert event["type"] == f"feedback-control.{name}.v1"
    validator().validate(event)
    for missing in event:
        assert not validator().is_valid({key: value for key, value in event.items() if key != missing})
    for missing in event["data"]:
        data = {key: value for key, value in event["data"].items() if key != missing}
        assert not validator().is_valid({**event, "data": data})
    for wrong in ({"priority": "P9"}, {"issue_id": ""}):
        assert not validator().is_valid({**event, "data": {**event["data"], **wrong}})
    other = next(kind for kind in KINDS if kind not in ("event", name.partition(".")[0]))
    wrong_schema = {"dataschema": f"urn:feedback-control:{other}:v1"}
    for wrong in (wrong_schema, {"time": "yesterday"}, {"specversion": "0.3"}):
        assert not validator().is_valid({**event, **wrong})


def test_an_event_of_a_kind_that_is_new_does_not_disturb_who_knows_the_envelope_only() -> None:
    event = {**EVERY["ticket.created"], "type": "feedback-control.artifact.published.v1"}
    validator().validate({**event, "dataschema": "urn:feedback-control:artifact:v1", "data": {"release": "5.1.9"}})

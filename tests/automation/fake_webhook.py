"""A receiver of events in this process: it checks signature and schema, remembers ids, and is unreliable."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from dagster_project.automation import cloudevents
from dagster_project.automation.standard_webhooks import signature
from tests.automation.unreliable import Seen, Unreliable

KEY = b"planted-0123456789-abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@dataclass
class FakeReceiver(Unreliable):
    """A consumer that takes each event once, as the documentation tells it to."""

    taken: dict[str, dict[str, Any]] = field(default_factory=dict)
    down: bool = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Check, then take."""
        self.requests.append(request)
        stamp, event_id = request.headers["webhook-timestamp"], request.headers["webhook-id"]
        if request.headers["webhook-signature"] != signature(KEY, event_id, stamp, request.content):
            return httpx.Response(401, text="wrong signature")
        if request.url.path != "/events":
            return httpx.Response(404, text="nothing here")
        event = json.loads(request.content)
        assert event["id"] == event_id
        assert request.headers["content-type"].startswith("application/cloudevents+json")
        kind = event["type"].split(".")[1]
        Draft202012Validator(cloudevents.schema_of(kind)).validate(event["data"])
        if self.down:
            raise httpx.ConnectError("Connection refused", request=request)
        return self.unreliably(request, lambda: self._take(event))

    def records(self) -> list[Seen]:
        """The issues as the consumer knows them, from the events it took."""
        return incidents(self.taken.values())

    def _take(self, event: dict[str, Any]) -> httpx.Response:
        self.taken.setdefault(event["id"], event)
        return httpx.Response(204)


def incidents(told: Iterable[dict[str, Any]]) -> list[Seen]:
    """The issues as somebody knows them who was told these events, in this order."""
    issues: dict[str, dict[str, Any]] = {}
    for event in told:
        if ".incident." not in event["type"]:
            continue
        known = issues.setdefault(event["subject"], {"notes": []})
        known |= event["data"]
        known["closed"] = ".resolved." in event["type"]
        known["notes"] += [event["data"]["change"]] if event["data"]["change"] else []
    return [Seen(one["title"], one["brief"], one["closed"], tuple(one["notes"])) for one in issues.values()]

"""A PagerDuty in this process: takes a key once, checked against PagerDuty's own API description, and unreliable."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.automation import descriptions
from tests.automation.unreliable import Seen, Unreliable

KEY = "planted0123456789abcdef012345678"


@dataclass
class FakePagerDuty(Unreliable):
    """One service: alerts by key."""

    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as PagerDuty does."""
        self.requests.append(request)
        check(request)
        event = json.loads(request.content)
        if event["routing_key"] != KEY:
            said = {"status": "invalid event", "message": "Event object is invalid", "errors": ["invalid routing_key"]}
            return httpx.Response(400, json=said)
        return self.unreliably(request, lambda: self._take(event))

    def records(self) -> list[Seen]:
        """The alerts as people see them; what changed last stands among the details."""
        return [Seen(one["summary"], one["custom_details"]["brief"], one["closed"]) for one in self.alerts.values()]

    def _take(self, event: dict[str, Any]) -> httpx.Response:
        self.events.append(event)
        alert = self.alerts.setdefault(event["dedup_key"], {"closed": False})
        alert |= {"closed": event["event_action"] == "resolve", **event.get("payload", {})}
        answer = {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}
        return httpx.Response(202, json=answer)


def check(request: httpx.Request) -> None:
    """Hold a request against PagerDuty's description, where that is at hand."""
    descriptions.check("pagerduty-events-v2", "https://events.pagerduty.com", request)

"""An Opsgenie in this process: stateful, checked against its own API description where that goes, and unreliable."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.automation import descriptions
from tests.automation.unreliable import Seen, Unreliable

KEY = "planted-0123-4567-89ab-cdef01234567"
_PATH = re.compile(r"/v2/alerts(?:/(?P<alias>[0-9a-f]{24})(?P<rest>/\w+)?)?")
_UNDESCRIBED = ("message", "description", "priority", "details")  # the published description ends before them


@dataclass
class FakeOpsgenie(Unreliable):
    """One integration; ``team`` is the only team there is."""

    forbidden: bool = False
    alerts: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as Opsgenie does."""
        self.requests.append(request)
        if not request.url.path.endswith(_UNDESCRIBED):
            descriptions.check("opsgenie", "https://api.opsgenie.com", request)
        if request.headers["authorization"] != f"GenieKey {KEY}":
            return httpx.Response(401, json={"message": "Could not authenticate", "took": 0.0, "requestId": "r"})
        if self.forbidden and request.method != "GET":
            return httpx.Response(403, json={"message": "Api key is read only", "took": 0.0, "requestId": "r"})
        route = _PATH.fullmatch(request.url.path)
        assert route, request.url
        assert not route["alias"] or request.url.params["identifierType"] == "alias"
        alert = self._of(route["alias"])
        if route["alias"] and alert is None:
            return httpx.Response(404, json={"message": "Alert with alias does not exist", "requestId": "r"})
        if request.method == "GET":
            assert alert is not None
            return httpx.Response(200, json={"data": alert["notes"] if route["rest"] else alert, "requestId": "r"})
        body = json.loads(request.content)
        if any(one["name"] != "checkout-squad" for one in body.get("responders", ())):
            return httpx.Response(422, json={"message": "No responders found: team", "requestId": "r"})
        return self.unreliably(request, lambda: _accepted(lambda: self._write(alert, route["rest"], body)))

    def records(self) -> list[Seen]:
        """The alerts as people see them."""
        return [
            Seen(
                one["message"],
                one["description"],
                one["status"] == "closed",
                tuple(note["note"] for note in one["notes"]),
            )
            for one in self.alerts
        ]

    def _of(self, alias: str | None) -> dict[str, Any] | None:
        return next((one for one in reversed(self.alerts) if one["alias"] == alias), None)

    def _write(self, alert: dict[str, Any] | None, rest: str | None, body: dict[str, Any]) -> None:
        if rest is None:
            present = self._of(body["alias"])
            if present is None or present["status"] == "closed":  # an alias is taken once, while its alert is open
                assert len(body["message"]) <= 130 and len(body["description"]) <= 15_000
                notes = [{"note": body["note"]}] if "note" in body else []
                self.alerts.append({**body, "status": "open", "notes": notes})
            return
        assert alert is not None and alert["status"] == "open", "a closed alert cannot be changed"
        match rest.removeprefix("/"):
            case "notes":
                alert["notes"].insert(0, {"note": body["note"]})
            case "close":
                alert["status"] = "closed"
            case "details":
                alert["details"] |= body["details"]
            case name:
                alert[name] = body[name]


def _accepted(work: Callable[[], None]) -> httpx.Response:
    work()
    return httpx.Response(202, json={"result": "Request will be processed", "took": 0.1, "requestId": "r"})

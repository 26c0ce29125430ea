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
            return _answer(401, message="Could not authenticate")
        if self.forbidden and request.method != "GET":
            return _answer(403, message="Api key is read only")
        route = _PATH.fullmatch(request.url.path)
        assert route, request.url
        assert not route["alias"] or request.url.params["identifierType"] == "alias"
        alert = self._of(route["alias"])
        if route["alias"] and alert is None:
            return _answer(404, message="Alert with alias does not exist")
        if request.method == "GET":
            assert alert is not None
            return _answer(200, data=alert["notes"] if route["rest"] else alert)
        body = json.loads(request.content)
        if any(one["name"] != "checkout-squad" for one in body.get("responders", ())):
            return _answer(422, message="No responders found: team")
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
                responders = [{**one, "id": f"team-{one['name']}"} for one in body.get("responders", ())]
                own = {"id": f"alert-{len(self.alerts)}", "responders": responders, "status": "open", "notes": notes}
                self.alerts.append({**body, **own})
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


def _answer(status: int, **content: Any) -> httpx.Response:
    return httpx.Response(status, json={**content, "took": 0.1, "requestId": "r"})


def _accepted(work: Callable[[], None]) -> httpx.Response:
    work()
    return _answer(202, result="Request will be processed")

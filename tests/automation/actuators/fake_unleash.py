"""An Unleash in this process, which answers as Unleash 8.2 was seen to answer; and unreliable."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.automation.unreliable import Unreliable

TOKEN, CLIENT = "*:*.planted0123456789", "default:production.planted0123456789"
_FLAG = re.compile(r"/api/admin/projects/default/features/(?P<key>[^/]+)(?P<switch>/environments/production/(on|off))?")
_STRATEGY = {
    "id": "01M8QTHNHV8ZTEN9797G477CK5",
    "name": "flexibleRollout",
    "constraints": [{"contextName": "country", "operator": "IN", "values": ["DE"]}],
    "parameters": {"rollout": "50"},
    "segments": [1],
    "variants": [{"name": "a", "weight": 1000}],
    "disabled": False,
}


@dataclass
class FakeUnleash(Unreliable):
    """A project with the flag `checkout`; with ``change_requests``, nothing is switched without one."""

    change_requests: bool = False
    enabled: bool = True
    strategies: list[dict[str, Any]] = field(default_factory=lambda: [dict(_STRATEGY)])
    reads: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as Unleash does."""
        self.requests.append(request)
        if request.url.path == "/api/client/features":
            if request.headers["authorization"] != CLIENT:
                return httpx.Response(401, json={"message": "invalid token"})
            return httpx.Response(200, json={"features": [{"name": "checkout", "enabled": self.enabled}]})
        if request.headers["authorization"] != TOKEN:
            return httpx.Response(401, json={"message": "You must log in to use Unleash."})
        asked = _FLAG.fullmatch(request.url.path)
        if not asked or asked["key"] != "checkout":
            return httpx.Response(404, json={"message": "There's no such feature"})
        if request.method == "GET":
            return httpx.Response(200, json=self._flag())
        if self.change_requests:
            said = 'To perform this action, you need the "SKIP_CHANGE_REQUEST" permission.'
            return httpx.Response(403, json={"name": "PermissionError", "message": said})
        return self.unreliably(request, lambda: self._switch(asked["switch"].endswith("/on")))

    def _switch(self, on: bool) -> httpx.Response:
        self.enabled = on
        if on and all(one["disabled"] for one in self.strategies):
            self.strategies.append({"name": "flexibleRollout", "parameters": {"rollout": "100"}, "disabled": False})
        return httpx.Response(200)

    def _flag(self) -> dict[str, Any]:
        self.reads += 1
        changing = {"lastSeenAt": f"2026-01-15T10:30:{self.reads:02}Z", "yes": self.reads, "no": 0}
        state = {"enabled": self.enabled, "strategies": self.strategies, "variants": []}
        environments = [{"name": "development", "enabled": False}, {"name": "production", **changing, **state}]
        return {"name": "checkout", "environments": environments}

"""A GrowthBook in this process: one feature, reviews, and the endpoint that applications read."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.automation.unreliable import Unreliable

TOKEN = "secret_planted_91c0"
REVIEW = "This feature requires a review and the API key being used does not have permission to bypass reviews."


def _environment() -> dict[str, Any]:
    return {"enabled": True, "defaultValue": "false", "rules": [{"type": "force", "value": "true", "coverage": 0.5}]}


@dataclass
class FakeGrowthBook(Unreliable):
    """The feature ``new-checkout``."""

    environment: dict[str, Any] = field(default_factory=_environment)
    revision: int = 3
    refuses: tuple[int, str] | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as GrowthBook does."""
        self.requests.append(request)
        if request.url.path == "/api/features/sdk-1":
            served = {"new-checkout": {"defaultValue": False}} if self.environment["enabled"] else {}
            return httpx.Response(200, json={"status": 200, "features": served})
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return httpx.Response(401, json={"message": "Invalid API key"})
        if not request.url.path.startswith("/api/v1/features/new-checkout"):
            return httpx.Response(400, json={"message": "Could not find a feature with that key"})
        if request.method == "GET":
            return self._answer()
        assert request.url.path.endswith("/toggle")
        if self.refuses:
            return httpx.Response(self.refuses[0], json={"message": self.refuses[1]})
        return self.unreliably(request, lambda: self._toggle(json.loads(request.content)))

    def state(self) -> dict[str, Any]:
        """The feature in production."""
        return copy.deepcopy(self.environment)

    def tamper(self) -> None:
        """A person widens a rule."""
        self.environment["rules"][0]["coverage"] = 1.0

    def _toggle(self, body: dict[str, Any]) -> httpx.Response:
        assert set(body) == {"reason", "environments"} and isinstance(body["environments"]["production"], bool)
        self.environment["enabled"] = body["environments"]["production"]
        self.revision += 1
        return self._answer()

    def _answer(self) -> httpx.Response:
        environment = {**self.environment, "definition": f"{{made: {self.revision}}}"}
        feature = {"id": "new-checkout", "environments": {"production": environment}}
        return httpx.Response(200, json={"feature": {**feature, "revision": {"version": self.revision}}})

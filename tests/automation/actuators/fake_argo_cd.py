"""An Argo CD in this process: one application with a history, checked against Argo's own description."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.automation import descriptions
from tests.automation.unreliable import Unreliable

TOKEN = "argocd-planted-55d1"
SERVER = "https://argocd.acme.example"
GOOD, BAD = "a1" * 20, "b2" * 20


def _history() -> list[dict[str, Any]]:
    return [
        {"id": 11, "revision": GOOD, "source": {"repoURL": "https://git.example/shop", "targetRevision": "v5.1.0"}},
        {"id": 12, "revision": BAD, "source": {"repoURL": "https://git.example/shop", "targetRevision": "v5.2.0"}},
    ]


@dataclass
class FakeArgoCd(Unreliable):
    """The application ``shop``."""

    history: list[dict[str, Any]] = field(default_factory=_history)
    policy: dict[str, Any] | None = None
    busy: bool = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as Argo CD does."""
        self.requests.append(request)
        if request.method != "PATCH":  # which the trimmed description leaves out
            check(request)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return httpx.Response(401, json={"error": "invalid session", "code": 16, "message": "invalid session"})
        if not request.url.path.startswith("/api/v1/applications/shop"):
            return httpx.Response(403, json={"code": 7, "message": "permission denied"})
        if request.method == "GET":
            return httpx.Response(200, json=self._application())
        body = json.loads(request.content)
        if request.method == "PATCH":
            return self.unreliably(request, lambda: self._patch(body))
        if (self.policy or {}).get("automated") is not None:
            said = "rollback cannot be initiated when auto-sync is enabled"
            return httpx.Response(400, json={"error": said, "code": 9, "message": said})
        if body.get("dryRun"):
            return httpx.Response(200, json=self._application())
        return self.unreliably(request, lambda: self._roll_back(body["id"]))

    def state(self) -> dict[str, Any]:
        """What is deployed, and the policy."""
        return copy.deepcopy({"deployed": self.history[-1]["revision"], "policy": self.policy or None})

    def tamper(self) -> None:
        """A person syncs another commit."""
        self.history.append({**self.history[-1], "id": self.history[-1]["id"] + 1, "revision": "c3" * 20})

    def _roll_back(self, number: int) -> httpx.Response:
        (one,) = (one for one in self.history if one["id"] == number)
        self.history.append({**one, "id": self.history[-1]["id"] + 1})
        return httpx.Response(200, json=self._application())

    def _patch(self, body: dict[str, Any]) -> httpx.Response:
        assert body["patchType"] == "merge"
        automated = json.loads(body["patch"])["spec"]["syncPolicy"]["automated"]
        rest = {name: value for name, value in (self.policy or {}).items() if name != "automated"}
        self.policy = {**rest, **({"automated": automated} if automated is not None else {})}
        return httpx.Response(200, json=self._application())

    def _application(self) -> dict[str, Any]:
        phase = "Running" if self.busy else "Succeeded"
        spec = {"syncPolicy": self.policy} if self.policy is not None else {}
        return {"spec": spec, "status": {"history": self.history, "operationState": {"phase": phase}}}


def check(request: httpx.Request) -> None:
    """Hold a request against Argo's description, where that is at hand."""
    descriptions.check("argo-cd", SERVER, request)

"""A LaunchDarkly in this process: one flag, approvals, and LaunchDarkly's own API description for what it can check."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.automation import descriptions
from tests.automation.unreliable import Unreliable

TOKEN = "api-planted-4f2b"
SERVER = "https://app.launchdarkly.com"
SEMANTIC = "application/json; domain-model=launchdarkly.semanticpatch"


def _flag() -> dict[str, Any]:
    return {
        "on": True,
        "version": 7,
        "lastModified": 1,
        "offVariation": 1,
        "fallthrough": {"rollout": {"variations": [{"variation": 0, "weight": 100_000}]}},
        "targets": [],
        "rules": [{"_id": "r1", "clauses": [{"attribute": "country", "op": "in", "values": ["DE"]}], "variation": 0}],
        "prerequisites": [],
        "_summary": {"prerequisites": 0},
    }


@dataclass
class FakeLaunchDarkly(Unreliable):
    """The flag ``new-checkout`` of the project ``shop``."""

    flag: dict[str, Any] = field(default_factory=_flag)
    approval_required: bool = False
    collides: bool = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as LaunchDarkly does."""
        self.requests.append(request)
        check(request)
        if request.headers.get("authorization") != TOKEN:
            return httpx.Response(401, json={"code": "unauthorized", "message": "Invalid access token"})
        if request.url.path != "/api/v2/flags/shop/new-checkout":
            return httpx.Response(404, json={"code": "not_found", "message": "Unknown flag key"})
        if request.method == "GET":
            return self._answer(self.flag)
        if self.approval_required:
            return httpx.Response(405, json={"code": "approval_required", "message": "approval is required"})
        if self.collides:
            return httpx.Response(409, json={"code": "conflict", "message": "pending scheduled change"})
        if request.url.params.get("dryRun") == "true":
            return self._answer(self._patched(request))
        return self.unreliably(request, lambda: self._commit(request))

    def state(self) -> dict[str, Any]:
        """The flag, without what counts by itself."""
        kept = {name: value for name, value in self.flag.items() if name not in ("version", "lastModified", "_summary")}
        return copy.deepcopy(kept)

    def tamper(self) -> None:
        """A person adds a rule."""
        self.flag["rules"] = [*self.flag["rules"], {"_id": "r2", "clauses": [], "variation": 1}]
        self.flag["version"] += 1

    def _commit(self, request: httpx.Request) -> httpx.Response:
        self.flag = self._patched(request)
        return self._answer(self.flag)

    def _patched(self, request: httpx.Request) -> dict[str, Any]:
        assert request.headers["content-type"] == SEMANTIC
        body = json.loads(request.content)
        assert set(body) == {"environmentKey", "comment", "instructions"} and body["environmentKey"] == "production"
        (kind,) = (one["kind"] for one in body["instructions"])
        on = {"turnFlagOn": True, "turnFlagOff": False}[kind]
        return {**self.flag, "on": on, "version": self.flag["version"] + 1}

    def _answer(self, flag: dict[str, Any]) -> httpx.Response:
        variations = [{"_id": "a", "value": True}, {"_id": "b", "value": False}]
        return httpx.Response(
            200, json={"key": "new-checkout", "variations": variations, "environments": {"production": flag}}
        )


def check(request: httpx.Request) -> None:
    """Hold a request against the description; of a semantic patch, path and query: it knows no such media type."""
    if request.method == "GET":
        descriptions.check("launchdarkly", SERVER, request)
        return
    body = json.loads(request.content)
    patch = {"comment": body["comment"], "patch": [{"op": "replace", "path": "/on", "value": False}]}
    headers = {"authorization": request.headers.get("authorization", "")}
    descriptions.check("launchdarkly", SERVER, httpx.Request("PATCH", request.url, json=patch, headers=headers))

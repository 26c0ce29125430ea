"""A team's own control system behind the webhook: it checks signatures and sets states conditionally."""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from dagster_project.automation.standard_webhooks import signature
from tests.automation.unreliable import Unreliable

KEY = b"planted-abcdef-0123456789"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def _pool() -> dict[str, Any]:
    return {"drained": False, "note": "north", "limits": {"rps": 100, "burst": 10}}


@dataclass
class FakeControl(Unreliable):
    """One item, ``pools/north``."""

    pool: dict[str, Any] = field(default_factory=_pool)
    version: int = 4
    approval: str = ""
    overtaken: bool = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as docs/control_systems.md tells a receiver to."""
        self.requests.append(request)
        stamp, number = request.headers["webhook-timestamp"], request.headers["webhook-id"]
        if request.headers["webhook-signature"] != signature(KEY, number, stamp, request.content):
            return httpx.Response(401, text="wrong signature")
        if request.method == "GET":
            known = request.url.params["item"] == "pools/north"
            return self._told() if known else httpx.Response(404, text="no such item")
        body = json.loads(request.content)
        if self.approval:
            return httpx.Response(202, json={"url": self.approval})
        if self.overtaken or body["expected"] != self.pool:
            return httpx.Response(409, text="it has changed")
        return self.unreliably(request, lambda: self._set(body["state"]))

    def state(self) -> dict[str, Any]:
        """The item."""
        return copy.deepcopy(self.pool)

    def tamper(self) -> None:
        """A person changes a limit."""
        self.pool["limits"]["rps"] = 7

    def _set(self, state: dict[str, Any]) -> httpx.Response:
        self.pool, self.version = state, self.version + 1
        return self._told()

    def _told(self) -> httpx.Response:
        told = {"state": self.pool, "version": str(self.version), "url": "https://ops.acme.example/pools/north"}
        return httpx.Response(200, json=told)

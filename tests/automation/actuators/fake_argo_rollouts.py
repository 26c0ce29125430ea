"""The server of Argo Rollouts' dashboard in this process: one canary rollout, and Argo's own description."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.automation import descriptions
from tests.automation.unreliable import Unreliable

TOKEN = "proxy-planted-77aa"
SERVER = "https://rollouts.acme.example"
STABLE, BAD = "registry.acme.example:5000/shop:5.1.0", "registry.acme.example:5000/shop:5.2.0"


def _sets() -> dict[str, int]:
    return {STABLE: 4, BAD: 5}


@dataclass
class FakeArgoRollouts(Unreliable):
    """The rollout ``shop``: revisions by image; 5.2.0 is going out."""

    revisions: dict[str, int] = field(default_factory=_sets)
    stable: str = STABLE
    aborted: bool = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as the server does."""
        self.requests.append(request)
        check(request)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return httpx.Response(401, text="no session")
        path = request.url.path.removeprefix("/api/v1/rollouts/prod/")
        if not path.startswith("shop/"):
            return httpx.Response(404, json={"code": 5, "message": "rollouts.argoproj.io not found"})
        if request.method == "GET":
            return httpx.Response(200, json=self._info())
        return self.unreliably(request, lambda: self._act(path.removeprefix("shop/"), json.loads(request.content)))

    def state(self) -> dict[str, Any]:
        """What a person would see."""
        return copy.deepcopy({"template": self.template, "stable": self.stable, "aborted": self.aborted})

    @property
    def template(self) -> str:
        """The image of the newest revision."""
        return max(self.revisions, key=lambda image: self.revisions[image])

    def tamper(self) -> None:
        """A person sends another version out."""
        self.revisions["shop:5.3.0"] = max(self.revisions.values()) + 1
        self.aborted = False

    def _act(self, verb: str, body: dict[str, Any]) -> httpx.Response:
        if verb == "abort":
            self.aborted = self.template != self.stable
        elif verb == "retry":
            self.aborted = False
        else:
            assert body["revision"] == verb.removeprefix("undo/")
            image = next(one for one, revision in self.revisions.items() if revision == int(body["revision"]))
            self.revisions[image] = max(self.revisions.values()) + 1
            self.aborted = False
        return httpx.Response(200, json={"metadata": {"name": "shop"}})

    def _info(self) -> dict[str, Any]:
        def shown(image: str, revision: int) -> dict[str, Any]:
            own = {"stable": True} if image == self.stable else {"canary": image == self.template}
            up = image == self.stable or (image == self.template and not self.aborted)
            return {"revision": str(revision), "images": [image], "available": 3 if up else 0, **own}

        message = f"RolloutAborted: Rollout aborted update to revision {max(self.revisions.values())}"
        return {
            "status": "Degraded" if self.aborted else "Paused",
            "message": message if self.aborted else "CanaryPauseStep",
            "setWeight": "0" if self.aborted else "20",
            "replicaSets": [shown(image, revision) for image, revision in self.revisions.items()],
        }


def check(request: httpx.Request) -> None:
    """Hold a request against Argo's description, where that is at hand."""
    descriptions.check("argo-rollouts-server", SERVER, request)

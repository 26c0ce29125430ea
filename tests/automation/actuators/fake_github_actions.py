"""GitHub's deployments and workflow runs in this process, checked against GitHub's own API description."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.automation import descriptions
from tests.automation.unreliable import Unreliable

TOKEN = "ghp_planted0123456789abcdefghijklmnopqrst"
SERVER = "https://api.github.com"
REPOSITORY = "/repos/acme/shop"
WORKFLOW = f"{REPOSITORY}/actions/workflows/roll-back.yml"


def _deployments() -> list[dict[str, Any]]:
    return [
        {"id": 1, "ref": "5.1.0", "sha": "a1" * 20, "payload": {}, "state": "inactive"},
        {"id": 2, "ref": "main", "sha": "b2" * 20, "payload": {"version": "5.2.0"}, "state": "success"},
    ]


@dataclass
class FakeGitHubActions(Unreliable):
    """A repository whose workflow ``roll-back.yml`` deploys what it is told, at once."""

    deployments: list[dict[str, Any]] = field(default_factory=_deployments)
    runs: list[dict[str, Any]] = field(default_factory=list)
    tells_runs: bool = True
    run_ends: str = "success"
    run_status: str = "completed"
    records: bool = True

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as GitHub does."""
        self.requests.append(request)
        check(request)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return httpx.Response(401, json={"message": "Bad credentials"})
        path = request.url.path
        if path == f"{WORKFLOW}/dispatches":
            return self.unreliably(request, lambda: self._dispatch(json.loads(request.content)))
        if path == f"{WORKFLOW}/runs":
            return httpx.Response(200, json={"total_count": len(self.runs), "workflow_runs": self.runs[::-1]})
        if path == f"{REPOSITORY}/deployments":
            known = request.url.params["environment"] == "production"
            return httpx.Response(200, json=self.deployments[::-1] if known else [])
        if path.startswith(f"{REPOSITORY}/deployments/") and path.endswith("/statuses"):
            (one,) = (one for one in self.deployments if str(one["id"]) == path.split("/")[-2])
            return httpx.Response(200, json=[{"state": one["state"]}])
        return httpx.Response(404, json={"message": "Not Found"})

    def state(self) -> dict[str, Any]:
        """What is in production."""
        last = self.deployments[-1]
        return copy.deepcopy({"version": last["payload"].get("version") or last["ref"], "sha": last["sha"]})

    def tamper(self) -> None:
        """A person deploys another version."""
        self._deploy("5.3.0")

    def finish(self) -> None:
        """The latest run ends well, and has deployed."""
        self.runs[-1] |= {"status": "completed", "conclusion": "success"}
        self._deploy(self.runs[-1]["version"])

    def _dispatch(self, body: dict[str, Any]) -> httpx.Response:
        assert set(body["inputs"]) == {"environment", "version", "plan", "reason"} and body["ref"] == "main"
        inputs, number = body["inputs"], 900 + len(self.runs)
        title = f"{inputs['environment']} to {inputs['version']}, plan {inputs['plan']}"
        page = f"https://github.com/acme/shop/actions/runs/{number}"
        conclusion = self.run_ends if self.run_status == "completed" else None
        run = {"id": number, "html_url": page, "display_title": title, "version": inputs["version"]}
        self.runs.append({**run, "status": self.run_status, "conclusion": conclusion})
        if conclusion == "success" and self.records:
            self._deploy(inputs["version"])
        if not self.tells_runs:
            return httpx.Response(204)
        url = f"{SERVER}{REPOSITORY}/actions/runs/{number}"
        return httpx.Response(200, json={"workflow_run_id": number, "run_url": url, "html_url": page})

    def _deploy(self, version: str) -> None:
        sha = next(
            (one["sha"] for one in self.deployments if version in (one["ref"], one["payload"].get("version"))), ""
        )
        one = {"id": len(self.deployments) + 1, "ref": "main", "sha": sha or "c3" * 20, "payload": {"version": version}}
        self.deployments.append({**one, "state": "success"})


def check(request: httpx.Request) -> None:
    """Hold a request against GitHub's description, where that is at hand."""
    descriptions.check("github", SERVER, request)

"""A GitHub in this process: stateful, paginated, checked against GitHub's own API description, and unreliable."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.automation import descriptions
from tests.automation.support import NOW
from tests.automation.unreliable import Seen, Unreliable

TOKEN = "ghp_planted0123456789"
_ROUTE = re.compile(r"/repos/acme/shop/issues(?:/(?P<number>\d+)(?P<comments>/comments)?)?")


@dataclass
class FakeGitHub(Unreliable):
    """One repository, acme/shop."""

    may_label: bool = True
    page_size: int = 100
    issues: list[dict[str, Any]] = field(default_factory=list)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    now: datetime = NOW

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as GitHub does."""
        self.requests.append(request)
        check(request)
        if request.headers["authorization"] != f"Bearer {TOKEN}":
            return httpx.Response(401, json={"message": "Bad credentials"})
        route = _ROUTE.fullmatch(request.url.path)
        if route is None:
            return httpx.Response(404, json={"message": "Not Found"})
        number = int(route["number"] or 0)
        if number and not any(issue["number"] == number for issue in self.issues):
            return httpx.Response(410, json={"message": "This issue was deleted"})
        if request.method == "GET":
            return self._get(request, number, bool(route["comments"]))
        return self.unreliably(request, lambda: self._write(request, number, bool(route["comments"])))

    def records(self) -> list[Seen]:
        """The issues as people see them."""
        return [
            Seen(
                issue["title"],
                issue["body"],
                issue["state"] == "closed",
                tuple(comment["body"] for comment in self.comments.get(issue["number"], [])),
            )
            for issue in self.issues
        ]

    def _write(self, request: httpx.Request, number: int, comment: bool) -> httpx.Response:
        body = json.loads(request.content)
        self.now += timedelta(seconds=1)
        if comment:
            self.comments.setdefault(number, []).append(body)
            return httpx.Response(201, json=body)
        if not number:
            number = len(self.issues) + 1
            self.issues.append({"number": number, "state": "open", "labels": [], "created_at": self.now, "user": "bot"})
        issue = next(issue for issue in self.issues if issue["number"] == number)
        labels = body.pop("labels", [])
        issue.update(body, updated_at=self.now)
        if self.may_label:
            issue["labels"] = [{"name": label} for label in labels]
        return httpx.Response(201 if request.method == "POST" else 200, json=self._shown(issue), headers=self.headers)

    def _get(self, request: httpx.Request, number: int, comments: bool) -> httpx.Response:
        params = request.url.params
        if number and not comments:
            return httpx.Response(200, json=self._shown(next(i for i in self.issues if i["number"] == number)))
        found = self.comments.get(number, []) if comments else [i for i in self.issues if self._listed(i, params)]
        size, page = min(int(params["per_page"]), self.page_size), int(params["page"])
        part = found[(page - 1) * size : page * size]
        headers = {"link": '<https://elsewhere.example/?page=2>; rel="next"'} if len(found) > page * size else {}
        return httpx.Response(200, json=part if comments else [self._shown(i) for i in part], headers=headers)

    @staticmethod
    def _listed(issue: dict[str, Any], params: httpx.QueryParams) -> bool:
        since = datetime.fromisoformat(params.get("since", "2000-01-01T00:00:00Z")).astimezone(UTC)
        return (
            params.get("state") == "all"
            and issue["updated_at"] >= since
            and params.get("creator", issue["user"]) == issue["user"]
            and ("labels" not in params or params["labels"] in [label["name"] for label in issue["labels"]])
        )

    @staticmethod
    def _shown(issue: dict[str, Any]) -> dict[str, Any]:
        url = f"https://github.example/acme/shop/issues/{issue['number']}"
        times = {name: issue[name].isoformat() for name in ("created_at", "updated_at")}
        return {**issue, **times, "html_url": url, "user": {"login": issue["user"]}}


def check(request: httpx.Request) -> None:
    """Hold a request against GitHub's description, where that is at hand."""
    descriptions.check("github", "https://api.github.com", request)

"""A GitHub in this process: stateful, paginated, checked against GitHub's own API description, and unreliable."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.automation import descriptions
from tests.automation.unreliable import Seen, Unreliable

TOKEN = "ghp_planted0123456789"
_ROUTE = re.compile(r"/repos/acme/shop/issues(?:/(?P<number>\d+)(?P<part>/comments|/events)?)?")


@dataclass
class FakeGitHub(Unreliable):
    """One repository, acme/shop."""

    may_label: bool = True
    page_size: int = 100
    issues: list[dict[str, Any]] = field(default_factory=list)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    events: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as GitHub does."""
        self.requests.append(request)
        if not request.url.path.endswith("/events"):  # the description at hand ends before them
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
            return self._get(request, number, route["part"] or "")
        return self.unreliably(request, lambda: self._write(request, number, bool(route["part"])))

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

    def act(self, what: str, value: str = "", *, by: str = "jo", number: int = 1) -> None:
        """Change an issue as a person does in the browser."""
        issue = next(one for one in self.issues if one["number"] == number)
        match what:
            case "comment":
                self._remark(number, value, by)
            case "assign":
                self._happened(issue, "assigned", by, assignee={"login": value})
            case "priority":
                self._happened(issue, "labeled", by, label={"name": f"priority: {value}"})
            case "reopen":
                self._happened(issue, "reopened", by)
                issue |= {"state": "open", "state_reason": "reopened"}
            case "resolve" | "reject":
                reason = "completed" if what == "resolve" else "not_planned"
                self._happened(issue, "closed", by, state_reason=reason)
                issue |= {"state": "closed", "state_reason": reason}
        issue["updated_at"] = self.now

    def _happened(self, issue: dict[str, Any], event: str, by: str, **further: Any) -> None:
        own = self.events.setdefault(issue["number"], [])
        told = {"id": 1000 * issue["number"] + len(own), "event": event, "actor": _account(by), **further}
        own.append({**told, "created_at": self.tick().isoformat()})

    def _remark(self, number: int, text: str, by: str) -> dict[str, Any]:
        own, at = self.comments.setdefault(number, []), self.tick().isoformat()
        told = {"id": 1000 * number + len(own), "user": _account(by), "body": text}
        own.append({**told, "created_at": at, "updated_at": at})
        return own[-1]

    def _write(self, request: httpx.Request, number: int, comment: bool) -> httpx.Response:
        body = json.loads(request.content)
        self.tick()
        if comment:
            return httpx.Response(201, json=self._remark(number, body["body"], "bot"))
        if not number:
            number = len(self.issues) + 1
            self.issues.append({"number": number, "state": "open", "labels": [], "created_at": self.now, "user": "bot"})
        issue = next(issue for issue in self.issues if issue["number"] == number)
        labels = body.pop("labels", [])
        if body.get("state", issue["state"]) != issue["state"]:
            closed = body["state"] == "closed"
            self._happened(issue, "closed" if closed else "reopened", "bot", state_reason=body["state_reason"])
        for label in labels:
            if self.may_label and label not in [one["name"] for one in issue["labels"]]:
                self._happened(issue, "labeled", "bot", label={"name": label})
        issue.update(body, updated_at=self.now)
        if self.may_label:
            issue["labels"] = [{"name": label} for label in labels]
        return httpx.Response(201 if request.method == "POST" else 200, json=self._shown(issue), headers=self.headers)

    def _get(self, request: httpx.Request, number: int, part: str) -> httpx.Response:
        params = request.url.params
        if number and not part:
            return httpx.Response(200, json=self._shown(next(i for i in self.issues if i["number"] == number)))
        if part == "/events":
            found = self.events.get(number, [])
        elif part:
            found = [one for one in self.comments.get(number, []) if _since(params) <= _instant(one["updated_at"])]
        else:
            found = [self._shown(i) for i in self.issues if self._listed(i, params)]
        size, page = min(int(params["per_page"]), self.page_size), int(params["page"])
        shown = found[(page - 1) * size : page * size]
        headers = {"link": '<https://elsewhere.example/?page=2>; rel="next"'} if len(found) > page * size else {}
        return httpx.Response(200, json=shown, headers=headers)

    @staticmethod
    def _listed(issue: dict[str, Any], params: httpx.QueryParams) -> bool:
        return (
            params.get("state") == "all"
            and issue["updated_at"] >= _since(params)
            and params.get("creator", issue["user"]) == issue["user"]
            and ("labels" not in params or params["labels"] in [label["name"] for label in issue["labels"]])
        )

    @staticmethod
    def _shown(issue: dict[str, Any]) -> dict[str, Any]:
        url = f"https://github.example/acme/shop/issues/{issue['number']}"
        times = {name: issue[name].isoformat() for name in ("created_at", "updated_at")}
        return {**issue, **times, "html_url": url, "user": _account(issue["user"])}


def _account(login: str) -> dict[str, str]:
    return {"login": login, "type": "Bot" if login.endswith("[bot]") else "User"}


def _since(params: httpx.QueryParams) -> datetime:
    return _instant(params.get("since", "2000-01-01T00:00:00Z"))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def check(request: httpx.Request) -> None:
    """Hold a request against GitHub's description, where that is at hand."""
    descriptions.check("github", "https://api.github.com", request)

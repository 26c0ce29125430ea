"""A Jira in this process: stateful, checked against Jira's own API description, and unreliable."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.automation import descriptions
from tests.automation.unreliable import Seen, Unreliable

TOKEN = "ATATT-planted0123456789"
USER = "bot@acme.example"
_ISSUE = re.compile(r"/rest/api/3/issue/(?P<key>OPS-\d+)(?P<rest>/\w+)?")
_TRANSITIONS = [("11", "Start", "indeterminate"), ("31", "Done", "done"), ("41", "Reopen", "new")]


@dataclass
class FakeJira(Unreliable):
    """One project, OPS, whose issues are Bugs; ``workflow`` lists the transitions that there are.

    Its search tells the ``latest`` changes to an issue, and says nothing of there having been more.
    """

    forbidden: bool = False
    page_size: int = 100
    latest: int = 40
    workflow: list[tuple[str, str, str]] = field(default_factory=lambda: list(_TRANSITIONS))
    issues: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as Jira does."""
        self.requests.append(request)
        if not request.url.path.endswith("/changelog"):  # which the description at hand leaves out
            descriptions.check("jira-cloud-v3", "https://your-domain.atlassian.net", request)
        basic = base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
        if request.headers["authorization"] != f"Basic {basic}":
            return httpx.Response(401, text="Client must be authenticated to access this resource.")
        if self.forbidden and request.method != "GET":
            return httpx.Response(403, json={"errorMessages": ["You do not have permission"], "errors": {}})
        path = request.url.path
        if path == "/rest/api/3/search/jql":
            return self._search(request)
        if path == "/rest/api/3/issue":
            return self._create(request)
        one = _ISSUE.fullmatch(path)
        if not one or one["key"] not in self.issues:
            return httpx.Response(404, json={"errorMessages": ["Issue does not exist or you do not have permission"]})
        issue = self.issues[one["key"]]
        match request.method, one["rest"]:
            case "GET", None:
                return httpx.Response(200, json=self._shown(issue))
            case "GET", "/transitions":
                return httpx.Response(200, json={"transitions": [_transition(*one) for one in self.workflow]})
            case "GET", "/comment":
                return self._listed(request, "comments", issue["comments"])
            case "GET", "/changelog":
                return self._listed(request, "values", issue["histories"][::-1])
        return self.unreliably(request, lambda: self._write(one["rest"], issue, json.loads(request.content)))

    def records(self) -> list[Seen]:
        """The issues as people see them."""
        return [
            Seen(
                one["fields"]["summary"],
                text_of(one["fields"]["description"]),
                one["category"] == "done",
                tuple(text_of(comment["body"]) for comment in one["comments"]),
            )
            for one in self.issues.values()
        ]

    def act(self, what: str, value: str = "", *, by: str = "jo", number: int = 1) -> None:
        """Change an issue as a person does in the browser."""
        issue = self.issues[f"OPS-{number}"]
        match what:
            case "comment":
                paragraph = {"type": "paragraph", "content": [{"type": "text", "text": value}]}
                self._remark(issue, {"type": "doc", "version": 1, "content": [paragraph]}, by)
            case "assign" | "priority":
                self._happened(issue, by, {"assign": "assignee"}.get(what, what), "", value)
            case "reopen":
                self._moved(issue, by, "To Do", "new", "")
            case "resolve" | "reject":
                self._moved(issue, by, "Done", "done", "Done" if what == "resolve" else "Won't Do")

    def _moved(self, issue: dict[str, Any], by: str, status: str, category: str, resolution: str) -> None:
        issue["category"] = category
        self._happened(issue, by, "status", "To Do", status, ("resolution", "", resolution))

    def _happened(self, issue: dict[str, Any], by: str, field: str, before: str, after: str, *more: Any) -> None:
        items = [
            {"field": name, "fromString": old, "toString": new} for name, old, new in ((field, before, after), *more)
        ]
        number = str(1000 + sum(len(one["histories"]) for one in self.issues.values()))
        issue["updated"] = self.tick()
        history = {"id": number, "author": _account(by), "created": _written(self.now), "items": items}
        issue["histories"].insert(0, history)

    def _remark(self, issue: dict[str, Any], body: Any, by: str) -> None:
        number = f"{issue['key']}{len(issue['comments'])}"
        issue["updated"] = self.tick()
        issue["comments"].append({"id": number, "author": _account(by), "created": _written(self.now), "body": body})

    def _create(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if body["fields"]["project"]["key"] != "OPS":
            return httpx.Response(400, json={"errorMessages": [], "errors": {"project": "valid project is required"}})
        if body["fields"]["issuetype"]["name"] != "Bug":
            return httpx.Response(400, json={"errorMessages": [], "errors": {"issuetype": "Specify a valid type"}})
        return self.unreliably(request, lambda: self._open(body))

    def _open(self, body: dict[str, Any]) -> httpx.Response:
        _check_texts(body["fields"])
        key = f"OPS-{len(self.issues) + 1}"
        properties = {one["key"]: one["value"] for one in body["properties"]}
        self.issues[key] = {"key": key, "fields": body["fields"], "category": "new", "properties": properties}
        self.issues[key] |= {"comments": [], "histories": [], "updated": self.tick()}
        return httpx.Response(201, json={"id": "10000", "key": key, "self": f"https://acme.example/{key}"})

    def _write(self, rest: str | None, issue: dict[str, Any], body: dict[str, Any]) -> httpx.Response:
        match rest:
            case "/comment":
                self._remark(issue, body["body"], USER)
                return httpx.Response(201, json=issue["comments"][-1])
            case "/transitions":
                _, name, to = next(one for one in self.workflow if one[0] == body["transition"]["id"])
                self._moved(issue, USER, name, to, "Done" if to == "done" else "")
                return httpx.Response(204)
        _check_texts(body["fields"])
        labels = issue["fields"]["labels"]
        for verb in body["update"]["labels"]:
            labels += [verb["add"]] if verb.get("add") and verb["add"] not in labels else []
            labels[:] = [label for label in labels if label != verb.get("remove")]
        self._happened(issue, USER, "labels", "", " ".join(labels))
        if "priority" in body["fields"]:
            self._happened(issue, USER, "priority", "", body["fields"]["priority"]["name"])
        issue["fields"] |= body["fields"]
        issue["properties"] |= {one["key"]: one["value"] for one in body["properties"]}
        return httpx.Response(204)

    def _search(self, request: httpx.Request) -> httpx.Response:
        jql = request.url.params["jql"]
        asked = re.fullmatch(r'labels = "([\w-]+)"(?: AND updated >= "-(\d+)m")? ORDER BY (?:created|updated) ASC', jql)
        assert asked, jql
        since = datetime.now(UTC) - timedelta(minutes=int(asked[2])) if asked[2] else datetime.min.replace(tzinfo=UTC)
        ours = [one for one in self.issues.values() if asked[1] in one["fields"]["labels"] and one["updated"] >= since]
        found = [self._shown(one) for one in ours]
        if "changelog" in request.url.params.get("expand", ""):
            for issue, shown in zip(ours, found, strict=True):
                latest = issue["histories"][: self.latest]
                shown["changelog"] = {"histories": latest, "maxResults": self.latest, "total": len(latest)}
        start = int(request.url.params.get("nextPageToken", "0"))
        more = {"nextPageToken": str(start + self.page_size)} if len(found) > start + self.page_size else {}
        return httpx.Response(200, json={"issues": found[start : start + self.page_size], "isLast": not more, **more})

    def _listed(self, request: httpx.Request, name: str, every: list[Any]) -> httpx.Response:
        start = int(request.url.params["startAt"])
        part = every[start : start + self.page_size]
        return httpx.Response(200, json={name: part, "startAt": start, "total": len(every), "maxResults": 100})

    @staticmethod
    def _shown(issue: dict[str, Any]) -> dict[str, Any]:
        status = {"name": "any", "statusCategory": {"key": issue["category"]}}
        fields = {name: issue["fields"][name] for name in ("summary", "labels")}
        fields |= {"status": status, "creator": _account(USER)}
        return {"key": issue["key"], "fields": fields, "properties": issue["properties"]}


def text_of(node: dict[str, Any]) -> str:
    """The words of an Atlassian document."""
    return str(node.get("text", "")) + " ".join(text_of(child) for child in node.get("content", ()))


def _account(name: str) -> dict[str, str]:
    kind = "app" if name.endswith("[bot]") else "atlassian"
    return {"accountId": f"id-of-{name}", "displayName": name, "accountType": kind}


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.000+0000"


def _transition(number: str, name: str, to: str) -> dict[str, Any]:
    return {"id": number, "name": name, "to": {"name": to, "statusCategory": {"key": to}}}


def _check_texts(fields: dict[str, Any]) -> None:
    assert len(fields["summary"]) <= 255 and "\n" not in fields["summary"]
    assert len(json.dumps(fields["description"], ensure_ascii=False)) <= 32_767
    assert not any(" " in label for label in fields.get("labels", ()))

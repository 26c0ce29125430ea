"""A Jira in this process: stateful, checked against Jira's own API description, and unreliable."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
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
    """One project, OPS, whose issues are Bugs; ``workflow`` lists the transitions that there are."""

    forbidden: bool = False
    page_size: int = 100
    workflow: list[tuple[str, str, str]] = field(default_factory=lambda: list(_TRANSITIONS))
    issues: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as Jira does."""
        self.requests.append(request)
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
                return self._comments(request, issue)
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
        self.issues[key]["comments"] = []
        return httpx.Response(201, json={"id": "10000", "key": key, "self": f"https://acme.example/{key}"})

    def _write(self, rest: str | None, issue: dict[str, Any], body: dict[str, Any]) -> httpx.Response:
        match rest:
            case "/comment":
                issue["comments"].append(body)
                return httpx.Response(201, json=body)
            case "/transitions":
                issue["category"] = next(to for number, _, to in self.workflow if number == body["transition"]["id"])
                return httpx.Response(204)
        _check_texts(body["fields"])
        labels = issue["fields"]["labels"]
        for verb in body["update"]["labels"]:
            labels += [verb["add"]] if verb.get("add") and verb["add"] not in labels else []
            labels[:] = [label for label in labels if label != verb.get("remove")]
        issue["fields"] |= body["fields"]
        issue["properties"] |= {one["key"]: one["value"] for one in body["properties"]}
        return httpx.Response(204)

    def _search(self, request: httpx.Request) -> httpx.Response:
        asked = re.fullmatch(r'labels = "([\w-]+)" ORDER BY created ASC', request.url.params["jql"])
        assert asked, request.url.params["jql"]
        found = [self._shown(one) for one in self.issues.values() if asked[1] in one["fields"]["labels"]]
        start = int(request.url.params.get("nextPageToken", "0"))
        more = {"nextPageToken": str(start + self.page_size)} if len(found) > start + self.page_size else {}
        return httpx.Response(200, json={"issues": found[start : start + self.page_size], "isLast": not more, **more})

    def _comments(self, request: httpx.Request, issue: dict[str, Any]) -> httpx.Response:
        start, every = int(request.url.params["startAt"]), issue["comments"]
        part = every[start : start + self.page_size]
        return httpx.Response(200, json={"comments": part, "startAt": start, "total": len(every), "maxResults": 100})

    @staticmethod
    def _shown(issue: dict[str, Any]) -> dict[str, Any]:
        status = {"name": "any", "statusCategory": {"key": issue["category"]}}
        fields = {name: issue["fields"][name] for name in ("summary", "labels")}
        return {"key": issue["key"], "fields": {**fields, "status": status}, "properties": issue["properties"]}


def text_of(node: dict[str, Any]) -> str:
    """The words of an Atlassian document."""
    return str(node.get("text", "")) + " ".join(text_of(child) for child in node.get("content", ()))


def _transition(number: str, name: str, to: str) -> dict[str, Any]:
    return {"id": number, "name": name, "to": {"name": to, "statusCategory": {"key": to}}}


def _check_texts(fields: dict[str, Any]) -> None:
    assert len(fields["summary"]) <= 255 and "\n" not in fields["summary"]
    assert len(json.dumps(fields["description"], ensure_ascii=False)) <= 32_767
    assert not any(" " in label for label in fields.get("labels", ()))

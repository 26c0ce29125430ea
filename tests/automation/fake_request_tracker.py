"""A Request Tracker in this process, which answers as a real RT 5.0.3 was seen to answer; and unreliable."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.automation.unreliable import Seen, Unreliable

TOKEN = "1-27-planted0123456789"
_TICKET = re.compile(r"/REST/2\.0/ticket/(?P<number>\d+)(?P<comment>/comment)?")


@dataclass
class FakeRequestTracker(Unreliable):
    """One queue, General; ``has_field`` says whether the marker's custom field is applied to it."""

    forbidden: bool = False
    has_field: bool = True
    takes_fields: bool = True
    tickets: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as RT does."""
        self.requests.append(request)
        path = request.url.path
        if request.headers["authorization"] != f"token {TOKEN}":
            return _answer(401, {"message": "Unauthorized"})
        if path.startswith("/REST/2.0/queue/"):
            return self._queue(path.rpartition("/")[2])
        if path == "/REST/2.0/tickets":
            return _answer(200, {"items": self._found(request.url.params["query"])})
        if self.forbidden and request.method != "GET":
            return _answer(403, {"message": "No permission to create tickets in the queue 'General'"})
        if path == "/REST/2.0/ticket":
            return self.unreliably(request, lambda: self._open(json.loads(request.content)))
        one = _TICKET.fullmatch(path)
        if not one or int(one["number"]) > len(self.tickets):
            return _answer(404, {"message": "Not Found"})
        ticket = self.tickets[int(one["number"]) - 1]
        if request.method == "GET":
            return _answer(200, self._shown(ticket))
        return self.unreliably(request, lambda: self._change(ticket, json.loads(request.content)))

    def records(self) -> list[Seen]:
        """The tickets as people see them: the first text, and the comments by their first line."""
        return [
            Seen(
                one["Subject"],
                one["Content"],
                one["Status"] in ("resolved", "rejected", "deleted"),
                tuple(comment.partition("</strong>")[0].removeprefix("<p><strong>") for comment in one["comments"]),
            )
            for one in self.tickets
        ]

    def _queue(self, name: str) -> httpx.Response:
        if name != "General":
            return _answer(403, {"message": "Forbidden"})
        fields = [{"id": "2", "type": "customfield", "name": "feedback-control"}] if self.has_field else []
        return _answer(200, {"id": 1, "Name": name, "TicketCustomFields": fields})

    def _open(self, body: dict[str, Any]) -> httpx.Response:
        assert body["ContentType"] == "text/html"
        number = len(self.tickets) + 1
        self.tickets.append({"id": str(number), "Status": "new", "comments": [], **body})
        return _answer(201, {"id": str(number), "type": "ticket", "_url": f"https://rt.example/{number}"})

    def _change(self, ticket: dict[str, Any], body: dict[str, Any]) -> httpx.Response:
        body.pop("ContentType", None)
        ticket["comments"] += [body.pop("Content")] if "Content" in body else []
        fields = body.pop("CustomFields", {})
        if self.takes_fields:
            ticket["CustomFields"] = {**ticket["CustomFields"], **fields}
        ticket |= body
        return _answer(201 if body.get("Content") else 200, ["Comments added"])

    def _found(self, query: str) -> list[dict[str, Any]]:
        asked = re.fullmatch(r"CF\.\{feedback-control\} LIKE '(\w+:)'", query)
        assert asked, query
        ours = [one for one in self.tickets if asked[1] in one["CustomFields"].get("feedback-control", "")]
        return [self._shown(one) for one in ours]

    @staticmethod
    def _shown(ticket: dict[str, Any]) -> dict[str, Any]:
        fields = [{"name": name, "values": [value]} for name, value in ticket["CustomFields"].items()]
        return {"id": ticket["id"], "Subject": ticket["Subject"], "Status": ticket["Status"], "CustomFields": fields}


def _answer(status: int, content: Any) -> httpx.Response:
    return httpx.Response(status, json=content)

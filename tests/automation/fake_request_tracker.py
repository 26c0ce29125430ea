"""A Request Tracker in this process, which answers as a real RT 5.0.3 was seen to answer; and unreliable."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.automation.unreliable import Seen, Unreliable

TOKEN = "1-27-planted0123456789"
BOT = "feedback"
_TICKET = re.compile(r"/REST/2\.0/ticket/(?P<number>\d+)(?P<rest>/comment|/history)?")
_ATTACHMENTS = re.compile(r"/REST/2\.0/transaction/(?P<number>\d+)/attachments")
_NUMBERS = {"Nobody": "6", BOT: "27"}


@dataclass
class FakeRequestTracker(Unreliable):
    """One queue, General; ``has_field`` says whether the marker's custom field is applied to it."""

    forbidden: bool = False
    has_field: bool = True
    takes_fields: bool = True
    page_size: int = 100
    tickets: list[dict[str, Any]] = field(default_factory=list)
    transactions: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as RT does."""
        self.requests.append(request)
        path = request.url.path
        if request.headers["authorization"] != f"token {TOKEN}":
            return _answer(401, {"message": "Unauthorized"})
        if path.startswith("/REST/2.0/queue/"):
            return self._queue(path.rpartition("/")[2])
        if path == "/REST/2.0/tickets":
            return self._page(self._found(request.url.params["query"]), request.url.params)
        if told := _ATTACHMENTS.fullmatch(path):
            said = self.transactions[int(told["number"]) - 1]["said"]
            return _answer(200, {"items": [{"id": "9", "ContentType": "text/html", "Content": said}]})
        if self.forbidden and request.method != "GET":
            return _answer(403, {"message": "No permission to create tickets in the queue 'General'"})
        if path == "/REST/2.0/ticket":
            return self.unreliably(request, lambda: self._open(json.loads(request.content)))
        one = _TICKET.fullmatch(path)
        if not one or int(one["number"]) > len(self.tickets):
            return _answer(404, {"message": "Not Found"})
        ticket = self.tickets[int(one["number"]) - 1]
        if one["rest"] == "/history":
            own = [shown for shown in self.transactions if shown["ticket"] == ticket["id"]]
            return self._page(own, request.url.params)
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

    def act(self, what: str, value: str = "", *, by: str = "jo", number: int = 1) -> None:
        """Change a ticket as a person does in the browser."""
        ticket = self.tickets[number - 1]
        statuses = {"resolve": "resolved", "reject": "rejected", "reopen": "open"}
        match what:
            case "comment":
                self._happened(ticket, by, "Correspond", said=f"<p>{value}</p>")
            case "assign":
                numbers = (_NUMBERS.get(name, "31") for name in (ticket.get("Owner", "Nobody"), value))
                self._happened(ticket, by, "Set", "Owner", *numbers)
                ticket["Owner"] = value
            case "priority":
                self._happened(ticket, by, "Set", "Priority", ticket["Priority"], value)
                ticket["Priority"] = value
            case _:
                self._happened(ticket, by, "Status", "Status", ticket["Status"], statuses[what])
                ticket["Status"] = statuses[what]

    def _happened(
        self,
        ticket: dict[str, Any],
        by: str,
        kind: str,
        field: str = "",
        before: str = "",
        after: str = "",
        said: str = "",
    ) -> None:
        ticket["LastUpdated"] = self.tick()
        told = {"id": str(len(self.transactions) + 1), "ticket": ticket["id"], "said": said, "type": "transaction"}
        told |= {"Type": kind, "Field": field, "OldValue": before, "NewValue": after}
        self.transactions.append({**told, "Creator": _user(by), "Created": f"{self.now:%Y-%m-%dT%H:%M:%SZ}"})

    def _page(self, items: list[dict[str, Any]], params: httpx.QueryParams) -> httpx.Response:
        start, size = (int(params.get("page", 1)) - 1) * self.page_size, self.page_size
        return _answer(200, {"items": items[start : start + size], "per_page": size})

    def _queue(self, name: str) -> httpx.Response:
        if name != "General":
            return _answer(403, {"message": "Forbidden"})
        fields = [{"id": "2", "type": "customfield", "name": "feedback-control"}] if self.has_field else []
        return _answer(200, {"id": 1, "Name": name, "TicketCustomFields": fields})

    def _open(self, body: dict[str, Any]) -> httpx.Response:
        assert body["ContentType"] == "text/html"
        number = len(self.tickets) + 1
        self.tickets.append({"id": str(number), "Status": "new", "comments": [], **body})
        self._happened(self.tickets[-1], BOT, "Create")
        return _answer(201, {"id": str(number), "type": "ticket", "_url": f"https://rt.example/{number}"})

    def _change(self, ticket: dict[str, Any], body: dict[str, Any]) -> httpx.Response:
        body.pop("ContentType", None)
        for name in ("Status", "Priority"):
            if body.get(name, ticket[name]) != ticket[name]:
                kind = "Status" if name == "Status" else "Set"
                self._happened(ticket, BOT, kind, name, ticket[name], body[name])
        if "Content" in body:
            ticket["comments"].append(body.pop("Content"))
            self._happened(ticket, BOT, "Comment", said=ticket["comments"][-1])
        fields = body.pop("CustomFields", {})
        if self.takes_fields:
            ticket["CustomFields"] = {**ticket["CustomFields"], **fields}
        ticket |= body
        return _answer(201 if body.get("Content") else 200, ["Comments added"])

    def _found(self, query: str) -> list[dict[str, Any]]:
        asked = re.fullmatch(r"CF\.\{feedback-control\} LIKE '(\w*:)'(?: AND LastUpdated > '([\d :-]+)')?", query)
        assert asked, query
        since = datetime.fromisoformat(asked[2] or "2000-01-01").replace(tzinfo=UTC)
        updated = [one for one in self.tickets if one["LastUpdated"] > since]
        ours = [one for one in updated if asked[1] in one["CustomFields"].get("feedback-control", "")]
        return [self._shown(one) for one in ours]

    @staticmethod
    def _shown(ticket: dict[str, Any]) -> dict[str, Any]:
        fields = [{"name": name, "values": [value]} for name, value in ticket["CustomFields"].items()]
        shown = {name: ticket[name] for name in ("id", "Subject", "Status")}
        people = {"Creator": _user(BOT), "Owner": _user(ticket.get("Owner", "Nobody"))}
        return {**shown, **people, "CustomFields": fields}


def _user(name: str) -> dict[str, str]:
    return {"id": name, "type": "user"}


def _answer(status: int, content: Any) -> httpx.Response:
    return httpx.Response(status, json=content)

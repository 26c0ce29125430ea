"""A ServiceNow in this process: stateful, checked against a published description of its Table API, and unreliable."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.automation import descriptions
from tests.automation.unreliable import Seen, Unreliable

PASSWORD = "planted-password-0123456789"
USER = "feedback.bot"
_PATH = re.compile(r"/api/now/table/(?P<table>\w+)(?:/(?P<id>[0-9a-f]{32}))?")


@dataclass
class FakeServiceNow(Unreliable):
    """One instance with the table incident; ``columns`` are those that it keeps (None: all)."""

    forbidden: bool = False
    columns: set[str] | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as ServiceNow does."""
        self.requests.append(request)
        descriptions.check("servicenow-table", "https://instance.servicenow.com", request)
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if request.headers["authorization"] != f"Basic {basic}":
            return _error(401, "User Not Authenticated")
        route = _PATH.fullmatch(request.url.path)
        if not route or route["table"] != "incident":
            return _error(400, "Invalid table " + request.url.path.rpartition("/")[2])
        if self.forbidden and request.method != "GET":
            return _error(403, "Operation Failed: ACL Exception Insert Failed due to security constraints")
        row = next((row for row in self.rows if row["sys_id"] == route["id"]), None)
        if route["id"] and row is None:
            return _error(404, "No Record found")
        if request.method == "GET":
            return httpx.Response(200, json={"result": row or self._found(request.url.params["sysparm_query"])})
        return self.unreliably(request, lambda: self._write(row, json.loads(request.content)))

    def records(self) -> list[Seen]:
        """The incidents as people see them."""
        return [
            Seen(row["short_description"], row["description"], row["state"] in ("6", "7", "8"), tuple(row["notes"]))
            for row in self.rows
        ]

    def _found(self, query: str) -> list[dict[str, Any]]:
        asked = re.fullmatch(r"correlation_id=(\w+)\^ORDERBYsys_created_on", query)
        assert asked, query
        if self.columns is not None and "correlation_id" not in self.columns:
            return self.rows  # as ServiceNow does with a condition it does not understand
        return [row for row in self.rows if row["correlation_id"] == asked[1]]

    def _write(self, row: dict[str, Any] | None, body: dict[str, Any]) -> httpx.Response:
        assert len(body["short_description"]) <= 160 and len(body["description"]) <= 4_000
        assert len(body["correlation_display"]) <= 100
        status = 200 if row else 201
        if row is None:
            number = len(self.rows) + 1
            row = {"sys_id": f"{number:032x}", "number": f"INC{number:07}", "state": "1", "notes": []}
            self.rows.append(row)
        if note := body.pop("work_notes", None):
            row["notes"].append(note)
        row |= {name: value for name, value in body.items() if self.columns is None or name in self.columns}
        return httpx.Response(status, json={"result": row})


def _error(status: int, message: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": message, "detail": None}, "status": "failure"})

"""A ServiceNow in this process: stateful, checked against a published description of its Table API, and unreliable."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
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
    may_read_history: bool = True
    rows: list[dict[str, Any]] = field(default_factory=list)
    audit: list[dict[str, Any]] = field(default_factory=list)
    journal: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as ServiceNow does."""
        self.requests.append(request)
        descriptions.check("servicenow-table", "https://instance.servicenow.com", request)
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if request.headers["authorization"] != f"Basic {basic}":
            return _error(401, "User Not Authenticated")
        route = _PATH.fullmatch(request.url.path)
        if route and route["table"] in ("sys_audit", "sys_journal_field"):
            return self._history(route["table"], request.url.params)
        if not route or route["table"] != "incident":
            return _error(400, "Invalid table " + request.url.path.rpartition("/")[2])
        if self.forbidden and request.method != "GET":
            return _error(403, "Operation Failed: ACL Exception Insert Failed due to security constraints")
        row = next((row for row in self.rows if row["sys_id"] == route["id"]), None)
        if route["id"] and row is None:
            return _error(404, "No Record found")
        if request.method == "GET":
            shown = request.url.params["sysparm_fields"].split(",")
            found = [_only(shown, one) for one in ([row] if row else self._found(request.url.params["sysparm_query"]))]
            return httpx.Response(200, json={"result": found[0] if row else found})
        return self.unreliably(request, lambda: self._write(row, json.loads(request.content)))

    def records(self) -> list[Seen]:
        """The incidents as people see them."""
        return [
            Seen(row["short_description"], row["description"], row["state"] in ("6", "7", "8"), tuple(row["notes"]))
            for row in self.rows
        ]

    def act(self, what: str, value: str = "", *, by: str = "jo", number: int = 1) -> None:
        """Change a record as a person does in the browser."""
        row = self.rows[number - 1]
        states = {"resolve": ("6", "Solution provided"), "reject": ("6", "Not Solved (Not Reproducible)")}
        match what:
            case "comment":
                self._remark(row, "comments", value, by)
            case "assign":
                self._change(row, "assigned_to", f"{len(value):032x}", by)
                row["assigned_to.user_name"] = value
            case "priority":
                self._change(row, "priority", value, by)
            case "reopen":
                self._change(row, "state", "2", by)
            case "resolve" | "reject":
                state, code = states[what]
                at = self.tick()
                self._change(row, "state", state, by, at)
                self._change(row, "close_code", code, by, at)

    def _change(self, row: dict[str, Any], column: str, value: str, by: str, at: datetime | None = None) -> None:
        if row.get(column, "") == value:
            return
        told = {"documentkey": row["sys_id"], "tablename": "incident", "fieldname": column, "user": by}
        told |= {"sys_id": f"{len(self.audit) + 1:032x}", "oldvalue": row.get(column, ""), "newvalue": value}
        row |= {column: value, "sys_updated_on": _written(at or self.tick())}
        self.audit.append({**told, "sys_created_on": row["sys_updated_on"]})

    def _remark(self, row: dict[str, Any], element: str, text: str, by: str) -> None:
        row["sys_updated_on"] = _written(self.tick())
        told = {"element_id": row["sys_id"], "element": element, "value": text, "sys_created_by": by}
        told |= {"sys_id": f"{len(self.journal) + 1:032x}", "sys_created_on": row["sys_updated_on"]}
        self.journal.append(told)

    def _history(self, table: str, params: httpx.QueryParams) -> httpx.Response:
        if not self.may_read_history:
            return _error(403, "User Not Authorized")
        conditions = dict(_condition(part) for part in params["sysparm_query"].split("^") if "ORDERBY" not in part)
        since, rows = conditions.pop("sys_created_on"), self.audit if table == "sys_audit" else self.journal
        fitting = (row for row in rows if all(row[name] in allowed for name, allowed in conditions.items()))
        return self._page((row for row in fitting if row["sys_created_on"] >= since[0]), params)

    @staticmethod
    def _page(rows: Iterable[dict[str, Any]], params: httpx.QueryParams) -> httpx.Response:
        start, size = int(params["sysparm_offset"]), int(params["sysparm_limit"])
        shown = params["sysparm_fields"].split(",")
        return httpx.Response(200, json={"result": [_only(shown, row) for row in list(rows)[start : start + size]]})

    def _found(self, query: str) -> list[dict[str, Any]]:
        changed = re.fullmatch(
            r"correlation_displaySTARTSWITHfeedback-control\^sys_updated_on>=([\d :-]+)\^ORDERBYsys_updated_on", query
        )
        if changed:
            return [row for row in self.rows if row["sys_updated_on"] >= changed[1]]
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
            row |= {"sys_created_by": USER, "sys_updated_on": _written(self.tick())}
            self.rows.append(row)
        elif "state" in body:
            at = self.tick()
            for column in {"state", "close_code"} & body.keys():
                self._change(row, column, body[column], USER, at)
        if note := body.pop("work_notes", None):
            row["notes"].append(note)
            self._remark(row, "work_notes", note, USER)
        row |= {name: value for name, value in body.items() if self.columns is None or name in self.columns}
        return httpx.Response(status, json={"result": row})


def _only(columns: list[str], row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in columns if name in row}


def _condition(part: str) -> tuple[str, list[str]]:
    found = re.fullmatch(r"(\w+?)(IN|=|>=)(.*)", part)
    assert found, part
    return found[1], found[3].split(",")


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _error(status: int, message: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": message, "detail": None}, "status": "failure"})

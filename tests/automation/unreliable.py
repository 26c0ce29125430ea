"""Base of the simulated targets: an ``httpx`` transport handler with planned faults at writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx

from tests.automation.support import NOW

BEFORE = ("refused", "timeout before", "500 before", "429")
AFTER = ("timeout after", "reset after", "500 after", "nonsense after")
FAULTS = BEFORE + AFTER
"""Faults of a write. *After*: the target has committed it."""


@dataclass(frozen=True)
class Seen:
    """A ticket as people see it in the target."""

    title: str
    text: str
    closed: bool
    notes: tuple[str, ...] = ()


@dataclass
class Unreliable:
    """A target that answers, except where ``fault`` (one of ``FAULTS``, or a response) is asked of a write.

    ``fault`` strikes the next write, or after ``spared`` further ones.
    """

    fault: str | httpx.Response | None = None
    spared: int = 0
    writes: int = 0
    now: datetime = NOW
    requests: list[httpx.Request] = field(default_factory=list)

    def tick(self) -> datetime:
        """A second goes by in the target."""
        self.now += timedelta(seconds=1)
        return self.now

    def sent(self, method: str) -> list[dict[str, Any]]:
        """The bodies of all requests of a method."""
        return [json.loads(request.content) for request in self.requests if request.method == method]

    def unreliably(self, request: httpx.Request, commit: Callable[[], httpx.Response]) -> httpx.Response:
        """Commit the write and answer, unless a fault is due."""
        self.writes += 1
        fault = self._due()
        if isinstance(fault, httpx.Response):
            return fault
        match fault:
            case "refused":
                raise httpx.ConnectError("Connection refused", request=request)
            case "timeout before":
                raise httpx.ReadTimeout("The read operation timed out", request=request)
            case "500 before":
                return httpx.Response(502, text="Bad gateway")
            case "429":
                return httpx.Response(429, headers={"retry-after": "7"}, text="slow down")
        answer = commit()
        match fault:
            case "timeout after":
                raise httpx.ReadTimeout("The read operation timed out", request=request)
            case "reset after":
                raise httpx.ReadError("Connection reset by peer", request=request)
            case "500 after":
                return httpx.Response(500, json={"message": "Server Error"})
            case "nonsense after":
                return httpx.Response(200, text="<html>Welcome to the hotel Wi-Fi</html>")
        assert fault is None, fault
        return answer

    def _due(self) -> str | httpx.Response | None:
        if self.fault is None:
            return None
        if self.spared:
            self.spared -= 1
            return None
        fault, self.fault = self.fault, None
        return fault

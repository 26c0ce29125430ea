"""A Slack in this process: one channel and its threads; blocks are checked by Slack's own models; unreliable."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
from slack_sdk.models.blocks import Block

from tests.automation.unreliable import Seen, Unreliable

TOKEN = "xoxb-planted-0123456789"
CHANNEL = "C0SHOP4711X"


@dataclass
class FakeSlack(Unreliable):
    """One workspace with one channel, where the app is a member; it answers 200 whatever happens."""

    forbidden: bool = False
    page_size: int = 200
    error: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as Slack does."""
        self.requests.append(request)
        if request.headers["authorization"] != f"Bearer {TOKEN}":
            return _error("invalid_auth")
        if self.error:
            return _error(self.error)
        if request.method == "GET":
            return self._history(request.url.path, request.url.params)
        assert request.headers["content-type"].startswith("application/json")
        body = json.loads(request.content)
        if self.forbidden:
            return _error("missing_scope")
        if body["channel"] != CHANNEL:
            return _error("channel_not_found")
        assert len(body["blocks"]) <= 50 and len(body["text"]) <= 40_000
        for block in body["blocks"]:
            parsed = Block.parse(block)
            assert parsed is not None
            parsed.validate_json()
        return self.unreliably(request, lambda: self._write(request.url.path, body))

    def records(self) -> list[Seen]:
        """The messages as people see them; their threads are the notes."""
        return [
            Seen(
                one["blocks"][0]["text"]["text"],
                "".join(block["text"]["text"] for block in one["blocks"][1:]),
                ":closed:" in one["blocks"][0]["block_id"],
                tuple(reply["text"] for reply in self.messages if reply.get("thread_ts") == one["ts"]),
            )
            for one in self.messages
            if "thread_ts" not in one
        ]

    def _write(self, path: str, body: dict[str, Any]) -> httpx.Response:
        if path.endswith("/chat.postMessage"):
            body["ts"] = f"{1780315200 + len(self.messages)}.000{len(self.messages):03}"
            self.messages.append(body)
            return httpx.Response(200, json={"ok": True, "ts": body["ts"], "channel": CHANNEL})
        message = next((one for one in self.messages if one["ts"] == body["ts"]), None)
        if message is None:
            return _error("message_not_found")
        message |= body
        return httpx.Response(200, json={"ok": True, "ts": body["ts"], "channel": CHANNEL})

    def _history(self, path: str, params: httpx.QueryParams) -> httpx.Response:
        if params["channel"] != CHANNEL:
            return _error("channel_not_found")
        if path.endswith("/conversations.replies"):
            found = [one for one in self.messages if params["ts"] in (one["ts"], one.get("thread_ts"))]
            if not found:
                return _error("thread_not_found")
        else:
            newest_first = [one for one in reversed(self.messages) if "thread_ts" not in one]
            first, last = params.get("oldest", "0"), params.get("latest", "9")
            found = [one for one in newest_first if first <= one["ts"] <= last]
        start, size = int(params.get("cursor", "0")), min(int(params["limit"]), self.page_size)
        more = str(start + size) if len(found) > start + size else ""
        part = found[start : start + size]
        answer = {"ok": True, "messages": part, "response_metadata": {"next_cursor": more}}
        return httpx.Response(200, json=answer)


def _error(error: str) -> httpx.Response:
    return httpx.Response(200, json={"ok": False, "error": error})

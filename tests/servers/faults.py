"""An add-on of mitmproxy (which runs it, in an environment of its own): writes go wrong as a plan says.

The plan is a JSON file, by the number of the write from 0: ``429``, ``503`` and ``cut before`` strike before the server
sees the request; ``502``, ``cut after`` and ``silence`` after it has done what was asked. With POST_READS set, reads
whose path begins so are asked by a form: the Slack emulator knows no others.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from urllib.parse import urlencode

from mitmproxy import http

PLAN, POST_READS = Path(os.environ["FAULT_PLAN"]), os.environ.get("POST_READS", "-")
SILENCE_SECONDS = 4.0


class Faults:
    """Counts the writes that pass, and lets some of them fail."""

    def __init__(self) -> None:
        self._writes = 0

    def request(self, flow: http.HTTPFlow) -> None:
        """Before the server sees it."""
        if flow.request.method == "GET":
            if flow.request.path.startswith(POST_READS):
                form = urlencode(list(flow.request.query.items(multi=True)))
                flow.request.path = flow.request.path.partition("?")[0]
                flow.request.method, flow.request.text = "POST", form
                flow.request.headers["content-type"] = "application/x-www-form-urlencoded"
            return
        flow.metadata["fault"] = json.loads(PLAN.read_text()).get(str(self._writes), "")
        self._writes += 1
        match flow.metadata["fault"]:
            case "429":
                flow.response = http.Response.make(429, b"slow down", {"retry-after": "7"})
            case "503":
                flow.response = http.Response.make(503, b"unavailable")
            case "cut before":
                flow.kill()

    async def response(self, flow: http.HTTPFlow) -> None:
        """After the server has done what was asked."""
        match flow.metadata.get("fault"):
            case "502":
                flow.response = http.Response.make(502, b"bad gateway")
            case "cut after":
                flow.kill()
            case "silence":
                await asyncio.sleep(SILENCE_SECONDS)


addons = [Faults()]

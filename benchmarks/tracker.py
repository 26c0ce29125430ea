"""Simulated tracker on loopback, in its own process, that can lose answers.

    python -m benchmarks.tracker 0.01       # prints its port; of a hundred writes, one is kept and not answered

``POST /api/now/table/incident`` opens a record for every request, as trackers do, and ``GET`` there finds records by
their ``correlation_id`` (the part of ServiceNow's Table API that a push needs). ``POST /events`` takes what carries an
id (``webhook-id`` or ``Idempotency-Key``) once. ``GET /counts`` tells what is there, by whatever way it came.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import struct
import subprocess
import sys
import threading
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.measuring import ROOT

TABLE, EVENTS = "/api/now/table/incident", "/events"
_RESET = struct.pack("ii", 1, 0)  # linger for no time: the connection is reset instead of closed


@dataclass
class _Records:
    """Stored writes, by their key."""

    lost: float
    by_key: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    ids: set[str] = field(default_factory=set)
    writes: int = 0
    answers_lost: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def take(self, body: dict[str, Any], once: str | None) -> tuple[dict[str, Any], bool]:
        """Store a write (once per id, if it has one); returns the record, and True if its answer is to be lost."""
        key = body.get("correlation_id") or body["subject"]
        with self.lock:
            self.writes += 1
            if once is None or once not in self.ids:
                record = {"sys_id": f"{self.writes:032x}", "number": f"INC{self.writes}", "state": "1"}
                shown = {name: body.get(name, "") for name in ("short_description", "correlation_display")}
                self.by_key[key].append({**record, "correlation_id": key, **shown})
            if once is not None:
                self.ids.add(once)
            lost = self.chance.random() < self.lost
            self.answers_lost += lost
            return self.by_key[key][-1], lost

    def counts(self) -> dict[str, int]:
        """Writes, answers lost, keys, and records beyond the first of each key."""
        with self.lock:
            extra = sum(len(own) - 1 for own in self.by_key.values())
            return {
                "writes": self.writes,
                "answers_lost": self.answers_lost,
                "keys": len(self.by_key),
                "duplicates": extra,
            }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    records: _Records

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        once = self.headers["webhook-id"] or self.headers["Idempotency-Key"] if self.path == EVENTS else None
        record, lost = self.records.take(body, once)
        if lost:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.connection.close()
            self.close_connection = True
        else:
            self._answer(201, {"result": record})

    def do_GET(self) -> None:
        if self.path == "/counts":
            self._answer(200, self.records.counts())
            return
        asked = parse_qs(urlsplit(self.path).query)["sysparm_query"][0]
        key = asked.removeprefix("correlation_id=").partition("^")[0]
        self._answer(200, {"result": self.records.by_key.get(key, [])})

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: ten thousand lines would be measured as well."""

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self._headers_buffer.append(b"\r\n" + body)  # type: ignore[attr-defined]  # one packet, not two
        self.flush_headers()


@contextlib.contextmanager
def running(lost: float) -> Iterator[str]:
    """A tracker that loses this share of its answers; its address."""
    command = [sys.executable, "-m", "benchmarks.tracker", str(lost)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def counts(address: str) -> dict[str, int]:
    """Counts of the tracker at an address."""
    with urllib.request.urlopen(f"{address}/counts") as answer:
        found: dict[str, int] = json.load(answer)
    return found


def main() -> None:
    """Serve until terminated."""
    _Handler.records = _Records(float(sys.argv[1]))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

"""A consumer of events as somebody else would write it: none of it is feedback-control's own code.

It verifies with the library of Standard Webhooks, reads with the one of CloudEvents, and checks against the schemas as
they were published. It remembers ids, and lets the greatest ``sequence`` win.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from referencing import Registry, Resource
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

PUBLISHED = Path(__file__).with_name("published")
KINDS = ("event", "incident", "ticket", "approval", "environment", "service")
_SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")


def published(kind: str) -> dict[str, Any]:
    """A schema as version 1 was published."""
    schema: dict[str, Any] = json.loads((PUBLISHED / f"{kind}.v1.json").read_text(encoding="utf-8"))
    return schema


def validator() -> Any:
    """Validator of a whole event against the published schemas."""
    schemas = [published(kind) for kind in KINDS]
    known: Registry[Any] = Registry().with_resources((one["$id"], Resource.from_contents(one)) for one in schemas)
    return Draft202012Validator(schemas[0], registry=known, format_checker=Draft202012Validator.FORMAT_CHECKER)


@dataclass
class Consumer:
    """A consumer's state of issues and tickets, from the events that it took."""

    secret: str
    seen: set[str] = field(default_factory=set)
    told: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    newest: dict[tuple[str, ...], tuple[str, str, dict[str, Any]]] = field(default_factory=dict)
    repeated: int = 0
    overtaken: int = 0
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def receive(self, headers: dict[str, str], body: bytes) -> int:
        """A delivery; the status to answer with."""
        try:
            Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            return 401
        self.take(body)
        return 204

    def take(self, text: bytes) -> None:
        """An event, however it came."""
        validator().validate(json.loads(text))
        event = JSONFormat().read(CloudEvent, text)
        data = event.get_data()
        assert isinstance(data, dict)
        kind, change = event.get_type().split(".")[1:3]
        about = (kind, str(event.get_subject()), *([data["destination"]] if kind == "ticket" else []))
        sequence = str(event.get_extension("sequence"))
        with self._one_at_a_time:
            if event.get_id() in self.seen:
                self.repeated += 1
                return
            self.seen.add(event.get_id())
            self.told.setdefault(about, []).append(change)
            if about in self.newest and self.newest[about][0] > sequence:
                self.overtaken += 1
            else:
                self.newest[about] = sequence, change, data

    def follow(self, file: Path, until: threading.Event) -> None:
        """Read a file of events while it is written: lines that end, from where the last look came to."""
        place = 0
        while True:
            last = until.is_set()
            if file.exists():
                with file.open("rb") as content:
                    content.seek(place)
                    whole = content.read().rpartition(b"\n")
                for line in whole[0].splitlines():
                    self.take(line)
                place += len(whole[0]) + len(whole[1])
            if last:
                return
            until.wait(0.005)


@contextmanager
def serving(receive: Callable[[dict[str, str], bytes], int]) -> Iterator[str]:
    """An HTTP server on loopback; a status of 0 cuts the connection without an answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = receive({name.lower(): value for name, value in self.headers.items()}, body)
            if status:
                self.send_response(status)
                self.end_headers()
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/events"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Detours:
    """A way to the consumer on which deliveries are repeated, come late, and lose their answers."""

    address: str
    chance: random.Random
    late: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def pass_on(self, headers: dict[str, str], body: bytes) -> int:
        """One delivery."""
        way = self.chance.choice(["straight", "twice", "late", "late", "answer lost"])
        if way == "late":
            self.late.append((headers, body))
            return 204
        status = self._post(headers, body)
        if way == "twice":
            self._post(headers, body)
        if self.late and self.chance.random() < 0.4:
            self._post(*self.late.pop(self.chance.randrange(len(self.late))))
        return 0 if way == "answer lost" else status

    def end(self) -> None:
        """Deliver everything still on its way, the last first."""
        while self.late:
            self._post(*self.late.pop())

    def _post(self, headers: dict[str, str], body: bytes) -> int:
        kept = {name: headers[name] for name in (*_SIGNED, "content-type")}
        return httpx.post(self.address, headers=kept, content=body).status_code

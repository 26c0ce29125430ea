"""A web server on the loopback that answers badly: each first part of the path is one way to do so."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RELEASE = {"id": 7, "tag_name": "v2.1", "created_at": "2026-04-30T12:00:00Z", "published_at": "2026-04-30T12:00:00Z"}


@dataclass
class Hostile:
    """The server's address, and what it was asked: path and ``Authorization``."""

    url: str
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    elsewhere: str = ""


_BOMB = gzip.compress(b"[" + b" " * 40_000_000 + b"]", 1)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        told = self.server.told
        told.asked.append((self.path, self.headers.get("Authorization")))
        how = self.path.split("?")[0].split("/")[1]
        with suppress(BrokenPipeError, ConnectionResetError):
            getattr(self, f"_{how}")()

    def _good(self) -> None:
        self.answer(json.dumps([RELEASE]).encode())

    def _login(self) -> None:
        self.answer(b"<html><form>Sign in \x1b[31m</form></html>", Content_Type="text/html")

    def _no_list(self) -> None:
        self.answer(b'{"ok": NaN}')

    def _odd_rows(self) -> None:
        self.answer(json.dumps([RELEASE, 5, {"id": 8, "tag_name": "v3", "author": "not an object"}]).encode())

    def _text(self) -> None:
        self.answer(json.dumps([RELEASE]).encode(), Content_Type="text/plain")

    def _deep(self) -> None:
        self.answer(b"[" * 100_000 + b"]" * 100_000)

    def _digits(self) -> None:
        self.answer(b"[" + b"9" * 100_000 + b"]")

    def _latin(self) -> None:
        self.answer('["schön"]'.encode("latin-1"))

    def _bomb(self) -> None:
        self.answer(_BOMB, Content_Encoding="gzip")

    def _brotli(self) -> None:
        self.answer(b"\x00\x01", Content_Encoding="br")

    def _broken_gzip(self) -> None:
        self.answer(b"\x1f\x8b no gzip at all", Content_Encoding="gzip")

    def _huge(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(1_000):
            self.wfile.write(b" " * 1_000_000)

    def _drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(600):
            self.wfile.write(b" ")
            time.sleep(0.1)

    def _drip_headers(self) -> None:
        for _ in range(600):
            self.wfile.write(b"H")
            time.sleep(0.1)

    def _silent(self) -> None:
        time.sleep(5)

    def _endless(self) -> None:
        page = int(self.path.rpartition("page=")[2]) if "&page=" in self.path else 1
        path = self.path.split("&page=")[0]
        self.answer(json.dumps([RELEASE]).encode(), Link=f'<{self.server.told.url}{path}&page={page + 1}>; rel="next"')

    def _circle(self) -> None:
        self.answer(json.dumps([RELEASE]).encode(), Link=f'<{self.server.told.url}{self.path}>; rel="next"')

    def _link_elsewhere(self) -> None:
        self.answer(json.dumps([RELEASE]).encode(), Link=f'<{self.server.told.elsewhere}/good/next>; rel="next"')

    def _link_file(self) -> None:
        self.answer(json.dumps([RELEASE]).encode(), Link='<file:///etc/passwd>; rel="next"')

    def _redirect_elsewhere(self) -> None:
        self.answer(b"", 302, Location=f"{self.server.told.elsewhere}/good/moved")

    def _redirect_here(self) -> None:
        self.answer(b"", 307, Location="/good/moved")

    def _redirect_loop(self) -> None:
        self.answer(b"", 302, Location=self.path)

    def _echo(self) -> None:
        self.answer(f"bad credentials: {self.headers.get('Authorization')}".encode(), 401)

    def _fault(self) -> None:
        self.answer(b"try later", 503)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    told: Hostile


@contextmanager
def serving() -> Iterator[Hostile]:
    """Serve on a free port until the end."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.told = Hostile(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server.told
        server.shutdown()

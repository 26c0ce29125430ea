"""Server of the pages: files under ``HOME/reports`` and the local tracker's tickets, read-only, on 127.0.0.1.

Only GET and HEAD, only known kinds of files, and only files that lie inside (links are followed before that is judged).
A folder answers with its ``index.html`` or not at all: nothing is listed. A request that names another host is refused,
so that no web page reaches the server by a name of its own (DNS rebinding). Pages may load nothing from elsewhere.
"""

from __future__ import annotations

import re
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

from dagster_project.errors import ConfigurationError
from dagster_project.home import Home

HOST = "127.0.0.1"

TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
"""Kinds of files that are served, with their media types."""

_TICKET = re.compile(r"/tickets/(FC-\d+\.md)")
_STRICT = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
# Evidently's pages bring their own scripts with them; they may load and send nothing.
_WITH_SCRIPTS = _STRICT + "; script-src 'unsafe-inline' 'unsafe-eval'; font-src data:"


def serve(home: Home, port: int) -> ThreadingHTTPServer:
    """A server of a home's pages, bound and not yet running; port 0 takes a free one.

    Raises:
        ConfigurationError: the home has no pages yet, or the port is taken.
    """
    if not (home.reports / "index.html").is_file():
        raise ConfigurationError(f"{home.root} has no pages yet; run `feedback-control --home {home.root} run` first")
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Handler, home))
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {HOST}:{port} ({error.strerror}); give --port another one"
        ) from None


def file_of(home: Home, target: str) -> Path | None:
    """The file that a request's target names; None if nothing is served there."""
    path = unquote(urlsplit(target).path)
    ticket = _TICKET.fullmatch(path)
    root = (home.tickets if ticket else home.reports).resolve()
    wanted = root / (ticket[1] if ticket else path.lstrip("/"))
    try:
        found = wanted.resolve()
        if found.is_dir():
            found = (found / "index.html").resolve()
        inside = found.is_relative_to(root) and found.is_file()
    except (OSError, ValueError):  # too long, a loop of links, a null byte
        return None
    is_hidden = any(part.startswith(".") for part in found.parts[len(root.parts) :])
    return found if inside and not is_hidden and found.suffix in TYPES else None


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server_version, sys_version = "feedback-control", ""

    def __init__(self, home: Home, *args: object) -> None:
        self._home = home
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer with a file."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Answer with a file's headers."""
        self._answer(with_body=False)

    def log_message(self, *_: object) -> None:
        """Nothing: who read which page is nobody's business."""

    def _answer(self, *, with_body: bool) -> None:
        port = cast("ThreadingHTTPServer", self.server).server_port
        if self.headers.get("host") not in {f"{HOST}:{port}", f"localhost:{port}"}:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "another host")
            return
        path = file_of(self._home, self.path)
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND, "no such page")
            return
        if path.name == "index.html" and not urlsplit(self.path).path.endswith(("/", ".html")):
            self.send_response(HTTPStatus.MOVED_PERMANENTLY)  # links in the page are relative to its folder
            self.send_header("Location", "/" + urlsplit(self.path).path.strip("/") + "/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = path.read_bytes()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", TYPES[path.suffix])
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", _WITH_SCRIPTS if path.name.startswith("evidently_") else _STRICT)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        if with_body:
            self.wfile.write(content)

"""A small home with planted secrets and personal data, a server that repeats what it is sent, and the scan for both."""

from __future__ import annotations

import base64
import csv
import json
import re
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from urllib.parse import quote, unquote

import duckdb
import polars as pl

from dagster_project.home import Home

SECRETS = {  # the password of the URLs is percent-encoded there, and has an @, a colon and a slash
    "PLANTED_READ_TOKEN": "r3adT0ken/Zq+81mXw=vKp",
    "PLANTED_PUSH_TOKEN": 'pUsh_9f&8Yt2"Qm%c71Lk',
    "PLANTED_URL_PASSWORD": "s3cr3t%3APa%40ss%2Fw0rd-Xy7Q",
    "PLANTED_QUERY_KEY": "qK3y-55e0b1f2c9a84d77",
    "PLANTED_WEBHOOK": "whsec_" + base64.b64encode(b"planted webhook secret 31b").decode(),
}
"""Secrets by the environment variable that holds them."""

PIXEL = "![x](https://tracker.example/pixel.png)"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJlLXBsYW50ZWQ"
PERSONAL = {
    "card": "4012 8888 8888 1881",
    "card with zero-width characters": "4222\u200b2222\u200b2222\u200b2220",
    "card in full-width digits": "５１０５１０５１０５１０５１００",
    "e-mail": "jo.planted@example.com",
    "phone": "+49 171 5550143",
    "token": TOKEN,
    "password": "my password is hunter2planted",
    "iban": "DE89 3704 0044 0532 0130 00",
}
_PERSONAL_NEEDLES = (
    *("4012 8888", "40128888", "4222222222222220", "5105105105105100", "jo.planted", "5550143", "hunter2planted"),
    *("0532 0130 00", "05320130", TOKEN[25:40], "５１０５１０５１"),
)
CUSTOMER = "mo.planted@example.org"
"""An e-mail address that a source uses as the id of a customer."""


class _Echo(BaseHTTPRequestHandler):
    """Repeats the request in its answer, as careless servers do; refuses everything but what is asked of ``good``."""

    def _answer(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
        first = re.split(r"[/?]", self.path.strip("/"))[0]
        said = f"cannot do {self.path} with {dict(self.headers)} {self.headers.get('Authorization')} and {sent[:500]}"
        answer: object = {"message": "x" * 150 + said, "again": said[::-1]}
        if first == "good":
            release = {"id": 1, "tag_name": "v1", "published_at": "2026-05-01T00:00:00Z", "body": said}
            answer = [release, {"no id": said}, {**release, "id": 2, "published_at": said}]
        body = json.dumps(answer).encode()
        self.send_response({"unauthorized": 401, "broken": 500, "good": 200}.get(first, 422))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on stderr."""


@contextmanager
def echoing() -> Iterator[str]:
    """A server on loopback that repeats what it is sent; its ``host:port``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def plant(home: Home, exports: Path, server: str, now: datetime) -> None:
    """Sources that fail and destinations that fail, and customers who say too much."""
    exports.mkdir(parents=True, exist_ok=True)
    home.root.mkdir(parents=True, exist_ok=True)
    _reviews(exports / "reviews.csv", now)
    (exports / "orders.csv").write_text(
        "order_id,customer_id,product,ordered_at,amount,currency,status\n"
        f"o-1,{CUSTOMER},shop,{now - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ},{PERSONAL['card']},EUR,paid\n"
        f"o-2,{CUSTOMER},shop,{now - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ},12.5,EUR,paid\n"
    )
    (exports / "broken.json").write_text(f'[{{"id": 1, "text": "{PERSONAL["e-mail"]}')
    releases = "reader: github, repository: acme/shop, token_env: PLANTED_READ_TOKEN"
    metrics = "reader: prometheus, queries: [{column: requests, expression: up}]"
    (home.root / "sources.yml").write_text(
        f"""sources:
- {{name: reviews, table: feedback, path: {exports}/reviews.csv}}
- {{name: orders, table: orders, path: {exports}/orders.csv}}
- {{name: broken, reader: zendesk, path: {exports}/broken.json}}
- {{name: releases, {releases}, url: "http://bot:${{PLANTED_URL_PASSWORD}}@{server}/api?api_key=${{PLANTED_QUERY_KEY}}"}}
- {{name: answered, {releases}, constants: {{product: shop}},
   url: "http://bot:${{PLANTED_URL_PASSWORD}}@{server}/good?api_key=${{PLANTED_QUERY_KEY}}"}}
- {{name: refused, {releases}, url: "http://bot:${{PLANTED_URL_PASSWORD}}@{server}/unauthorized"}}
- {{name: metrics, {metrics}, url: "http://bot:${{PLANTED_URL_PASSWORD}}@{server}/metrics?token=${{PLANTED_QUERY_KEY}}"}}
- {{name: gone, {metrics}, url: "http://bot:${{PLANTED_URL_PASSWORD}}@127.0.0.1:9/metrics"}}
"""
    )
    (home.root / "destinations.yml").write_text(
        f"""version: 1
destinations:
- {{kind: local}}
- {{kind: events}}
- {{kind: github, repository: acme/shop, base_url: "http://{server}", token_env: PLANTED_PUSH_TOKEN}}
- {{kind: webhook, base_url: "http://{server}/hook", secret_env: PLANTED_WEBHOOK}}
"""
    )


_CRASH = ("The app crashes", "It force closes", "Shuts down by itself", "Crash after crash", "App quits")
_WHEN = (
    *(
        "as soon as I open my cart",
        "on launch since this morning",
        "when I tap the photo of a shoe",
        "right after the logo",
    ),
    *("while searching for a present", "before any screen is loaded", "each time I log in", "after yesterday's update"),
)


_STORE = {"source": "store", "channel": "app_review", "product": "shop"}


def _reviews(path: Path, now: datetime) -> None:
    """Forty quiet days, then forty customers whose app crashes; each says something that nobody else may read."""
    said, rows = list(PERSONAL.values()), list[dict[str, object]]()
    for day, number in product(range(1, 41), range(3)):
        at = now - timedelta(days=day, hours=number)
        quiet = {"feedback_id": f"q-{day}-{number}", "text": f"works well, day {day}", "rating": 5}
        rows.append({**quiet, "occurred_at": at})
    for number in range(40):
        text = f"{_CRASH[number % 5]} {_WHEN[number // 5]}. {said[number % len(said)]} {PIXEL}"
        person = {"customer_id": CUSTOMER if number == 0 else f"c-{number}", "note": said[-number % len(said)]}
        at = now - timedelta(minutes=20 * number + 90)
        rows.append({"feedback_id": f"c-{number}", "occurred_at": at, "text": text, "rating": 1, **person})
    bad = {"rating": PERSONAL["card"], "note": PIXEL, "text": "bad row " + " ".join(said)}
    rows.append({"feedback_id": "bad", "occurred_at": now - timedelta(hours=1), **bad})
    columns = ("feedback_id", "occurred_at", "known_at", "text", "rating", "customer_id", "note", *_STORE)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerows({**row, **_STORE, "known_at": row["occurred_at"]} for row in rows)


@dataclass
class Scan:
    """Needles that were found, as ``place: what``."""

    found: list[str] = field(default_factory=list)
    seen: int = 0

    def text(self, place: str, text: str, *, may_hold_words: bool = False) -> None:
        """Look through a text."""
        self.seen += len(text)
        bare = re.sub("[\u200b\u200c\u200d\u2060\ufeff]", "", text)
        self.found += [f"{place}: secret {name}" for name, needles in _NEEDLES.items() if any(map(text.count, needles))]
        if not may_hold_words:
            self.found += [f"{place}: {one}" for one in _PERSONAL_NEEDLES if one in bare]
            self.found += [f"{place}: {CUSTOMER}"] if CUSTOMER in bare else []

    def page(self, place: str, text: str) -> None:
        """Look through what is rendered as HTML or Markdown, as Dagster does with its metadata."""
        self.text(place, text)
        self.found += [f"{place}: live image"] if re.search(r"(?<!\\\\)!\[x\]\(https", text) else []

    def folder(self, root: Path) -> Scan:
        """Look through every file: its bytes, and what a reader of its format sees."""
        for path in sorted(root.rglob("*")):
            if path.is_file() and "models" not in path.relative_to(root).parts:
                self.file(path, path.relative_to(root))
        return self

    def file(self, path: Path, name: Path) -> None:
        """Look through one file. Customers' words as they came may be in the lake's inputs and its quarantine."""
        words = name.parts[:2] in {("lake", "feedback"), ("lake", "quarantine"), ("lake", "orders")}
        content = path.read_bytes()
        place = f"{path.parent.name}/{name}"
        self.text(place, content.decode("latin-1"), may_hold_words=words)
        self.text(place, content.decode("utf-8", "replace"), may_hold_words=words)
        if path.suffix == ".parquet":
            self.text(place, "\n".join(map(str, pl.read_parquet(path).iter_rows())), may_hold_words=words)
        elif path.suffix == ".duckdb":
            self.text(place, "\n".join(_duckdb(path)), may_hold_words=False)
        elif content.startswith(b"SQLite format 3"):
            self.page(place, "\n".join(_sqlite(path)))
        elif path.suffix in (".html", ".md"):
            self.page(place, content.decode())
        elif content[:2] == b"\x78\x9c":
            self.text(place, zlib.decompress(content).decode("latin-1"), may_hold_words=words)


def _duckdb(path: Path) -> Iterator[str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = current_database()"
        ).fetchall()
        for schema, table in tables:
            for row in connection.execute(f'select * from "{schema}"."{table}"').fetchall():
                yield "\x1f".join(map(str, row))


def _sqlite(path: Path) -> Iterator[str]:
    with sqlite3.connect(path) as connection:
        tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'select * from "{table}"'):
                yield "\x1f".join(one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in row)
    connection.close()


def _needles(secret: str) -> list[str]:
    """Pieces of a secret in each encoding, so that every part of twelve characters or more holds one."""
    data = secret.encode()
    forms = {
        secret,
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        secret[::-1],
        data.hex(),
        secret.replace("&", "&amp;"),
    }
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data).decode()
        forms |= {
            encoded[before * 8 // 6 + 1 : -4],
            encoded[before * 8 // 6 + 1 : -4].replace("+", "-").replace("/", "_"),
        }
    return sorted({form[at : at + 9] for form in forms for at in range(0, len(form) - 8, 4)})


_NEEDLES = {name: _needles(secret) + _needles(unquote(secret)) for name, secret in SECRETS.items()}


def now() -> datetime:
    """The present, to the second."""
    return datetime.now(UTC).replace(microsecond=0)

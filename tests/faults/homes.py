"""Two homes in one working directory, a receiver that must hear of nothing simulated, stages without a warehouse."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result

from dagster_project import loop, replay
from dagster_project.automation.destinations import load_destinations
from dagster_project.automation.tickets.issues import Issue
from dagster_project.automation.tickets.push import push
from dagster_project.cli import demo, options
from dagster_project.cli.main import main
from dagster_project.decisioning.published import DecisionReport
from dagster_project.enrichment import labeling
from dagster_project.enrichment.labeling import LabelReport
from dagster_project.home import DEFAULT_HOME, DEMO_HOME, Home
from dagster_project.simulation.shop.export_files import sources_file
from tests.automation.support import CHECKOUT, DELIVERY, publish

REAL = replace(DELIVERY, issue_id="ISS-REAL000001", owner="real-team")
PAST = replace(DELIVERY, issue_id="ISS-PAST000001", owner="real-team", feedback_count=7)
SIMULATED = replace(CHECKOUT, issue_id="ISS-DEMO000001", owner="demo-team")

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
YESTERDAY, LAST_WEEK = ((TODAY - timedelta(days=days)).strftime("%Y-%m-%d") for days in (1, 7))

SECRET = "whsec_cGxhbnRlZC0wMTIzNDU2Nzg5LWFiY2RlZg=="


class Receiver:
    """A real HTTP server on this machine that keeps what it is sent."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        told = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.append(self.rfile.read(int(self.headers.get("content-length", 0))).decode())
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/events"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def heard(self, *issues: Issue) -> list[str]:
        """The bodies that speak of one of these issues."""
        return [body for body in self.bodies if any(issue.issue_id in body for issue in issues)]


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()


def cli(*arguments: str) -> Result:
    """A command in the working directory, as people type it."""
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def webhook(receiver: Receiver, **settings: str) -> str:
    """A destinations.yml with the local tracker and the receiver."""
    further = "".join(f", {name}: {value}" for name, value in settings.items())
    return (
        "version: 1\ndestinations:\n- {kind: local}\n"
        f"- {{kind: webhook, base_url: '{receiver.url}', pace_seconds: 0, settle_seconds: 0{further}}}\n"
    )


def decided(home: Home, issues: list[Issue], as_of: datetime) -> DecisionReport:
    """The queue of a home as a build as of an instant publishes it."""
    publish(home, issues)
    with duckdb.connect(str(home.published)) as connection:
        connection.execute("update out_tickets set as_of = ?", [as_of])
    return DecisionReport(len(issues), 0, 0, {"out_tickets": len(issues)})


def without_a_warehouse(patch: pytest.MonkeyPatch, folder: Path) -> tuple[Home, Home]:
    """Replace labelling and dbt by a queue that says whose it is; returns the demo's home and the default one."""
    patch.chdir(folder)
    for name in ("FEEDBACK_HOME", "FEEDBACK_LEDGER_URL", "FEEDBACK_SOURCES", "FEEDBACK_GOLDEN", "DAGSTER_HOME"):
        patch.delenv(name, raising=False)
    patch.setenv("WEBHOOK_SECRET", SECRET)
    labelled = LabelReport(0, 0, 0, 0, {}, 0.0, "m", "l", "r", folder)

    def decide(home: Home, *, as_of: datetime, **_: object) -> DecisionReport:
        if home.kind == "demo":
            return decided(home, [SIMULATED], as_of)
        return decided(home, [PAST if home.kind == "replay" else REAL], as_of)

    def run_in_dagster(home: Home, *, sources: str, as_of: datetime) -> list[Any]:
        loop.turn(home, sources=Path(sources), as_of=as_of)
        return []

    write_page: Callable[[Home], Path] = lambda home: home.reports / "closed_loop.html"  # noqa: E731
    patch.setattr(loop, "write_pages", lambda _: [])
    for module in (loop, replay):
        patch.setattr(module, "label_new", lambda *_, **__: labelled)
        patch.setattr(module, "decide", decide)
    patch.setattr("dagster_project.simulation.shop.shop.write_shop", write_small_shop)
    patch.setattr(loop, "take_over_model", lambda *_: None)
    patch.setattr("dagster_project.enrichment.takeover.take_over_model", lambda *_: None)
    patch.setattr(loop, "write_report", write_page)
    patch.setattr(replay, "queue", lambda *_, **__: [])
    patch.setattr(labeling, "label_new", lambda *_, **__: labelled)
    patch.setattr(demo, "run_in_dagster", run_in_dagster)
    for module in (demo, options):
        patch.setattr(module, "show_queue", lambda *_, **__: None)
    patch.setattr("dagster_project.cli.turn.show_queue", lambda *_, **__: None)
    return Home(folder / DEMO_HOME), Home(folder / DEFAULT_HOME)


def ids(home: Home) -> set[str]:
    """The issues that a home's tickets are about."""
    return {path.read_text().partition("\nissue: ")[2].split("\n")[0] for path in home.tickets.glob("FC-*.md")}


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def push_all(home: Home) -> None:
    """A push to wherever the home may write."""
    push(home, now=datetime.now(UTC), destinations=load_destinations(home))


def write_small_shop(folder: Path, *, until: datetime, **_: object) -> None:
    """What the demo needs of a simulated shop, in no time: its truth, its sources and one export."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sources.yml").write_bytes(sources_file())
    (folder / "reviews.csv").write_text("feedback_id,text\n1,bad\n")
    truth = {"until": until.isoformat(), "planted": [], "files": ["reviews.csv", "sources.yml"]}
    (folder / "truth.json").write_text(json.dumps(truth))


def write_real_exports(folder: Path) -> Path:
    """One export of a real shop; returns its sources.yml."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "reviews.csv").write_text(
        "feedback_id,channel,product,occurred_at,text\nr1,app_review,real-app,2026-05-01T10:00:00Z,the parcel is late\n"
    )
    (folder / "sources.yml").write_text(
        "sources:\n- {name: reviews, table: feedback, path: reviews.csv, silent_after: never}\n"
    )
    return folder / "sources.yml"

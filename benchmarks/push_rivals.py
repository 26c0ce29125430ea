"""Measure 10,000 new tickets next to drt-core, a reverse-ETL tool, while no answer is lost and while some are.

    python -m benchmarks.push_rivals [ROWS]       # drt-core gets an environment of its own, .venv/rivals

Both write the same bodies to the same tracker (``tracker.py``), each as its users run it, from its command line, until
it says that nothing is left; then once more, which should send nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import tracker
from benchmarks.measuring import ROOT, Cost, cost_of

RIVAL = "drt-core[duckdb]==1.2.1"
ROWS = 10_000
LOST = 0.01
_SETTLE_SECONDS = 1
_MOST_RUNS = 10
_TEMPLATE = "{{ issue.summary }}\n\n{{ issue.recommended_action }} ({{ issue.feedback_count }} complaints)\n"
_SECRETS = {"SERVICENOW_PASSWORD": "of-a-benchmark", "WEBHOOK_SECRET": "whsec_" + "b2YtYS1iZW5jaG1hcmst" * 2}


@dataclass(frozen=True)
class Row:
    """Result of one tool against one tracker: runs until done, seconds, peak memory, final counts of the tracker."""

    tool: str
    place: str
    lost: float
    rows: int
    runs: int
    seconds: float
    mib: float
    answers_lost: int
    duplicates: int
    missing: int
    sent_again: int


class Ours:
    """``feedback-control push``."""

    name = "feedback-control"

    def __init__(self, folder: Path, address: str, place: str, rows: int) -> None:
        self._home = folder / "home"
        cost_of([sys.executable, "-m", "benchmarks.push_rivals", "ours", str(self._home), address, place, str(rows)])

    def run(self) -> tuple[Cost, bool]:
        """One run; True if nothing is left to do."""
        began = "from dagster_project.cli.main import main; main()"
        cost = cost_of([sys.executable, "-c", began, "--home", str(self._home), "push", "--json"], ROOT, **_SECRETS)
        report = json.loads(cost.output)
        return cost, not any(report[name] for name in ("unknown", "deferred", "rejected"))


class Theirs:
    """``drt run``, and ``drt retry`` for failed rows."""

    name = "drt-core"

    def __init__(self, folder: Path, address: str, place: str, rows: int) -> None:
        self._folder = folder / "project"
        self._failed = False
        names = ["theirs", str(self._folder), address, place, str(rows)]
        cost_of([sys.executable, "-m", "benchmarks.push_rivals", *names])

    def run(self) -> tuple[Cost, bool]:
        """One run; True if nothing is left to do."""
        command = [str(rival()), "retry", "tickets"] if self._failed else [str(rival()), "run", "--output", "json"]
        cost = cost_of(command, self._folder, HOME=str(self._folder), DO_NOT_TRACK="1")
        queue = self._folder / ".drt" / "dlq" / "tickets.jsonl"
        self._failed = queue.exists() and bool(queue.read_text(encoding="utf-8").strip())
        return cost, not self._failed


TOOLS: tuple[type[Ours] | type[Theirs], ...] = (Ours, Theirs)


def rival() -> Path:
    """The rival's command, installed where there is none yet."""
    environment = ROOT / ".venv" / "rivals"
    command = environment / "bin" / "drt"
    if not command.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
        pip = [str(environment / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", RIVAL]
        subprocess.run(pip, check=True)
    return command


def compare(rows: int = ROWS, say: Callable[[str], None] = print) -> list[Row]:
    """Both tools against both trackers, one after the other."""
    rival()
    found = []
    for place, lost in ((tracker.TABLE, 0.0), (tracker.TABLE, LOST), (tracker.EVENTS, LOST)):
        for tool in TOOLS:
            row = measure(tool, place, lost, rows)
            say(
                f"{row.tool}, {row.place}, {row.lost:.0%} lost: {row.rows / row.seconds:,.0f} a second,"
                f" {row.duplicates} duplicates, {row.missing} missing"
            )
            found.append(row)
    return found


def measure(tool: type[Ours] | type[Theirs], place: str, lost: float, rows: int) -> Row:
    """One tool against one tracker, until it is done, and once more."""
    with tempfile.TemporaryDirectory() as folder, tracker.running(lost) as address:
        side = tool(Path(folder), address, place, rows)
        costs: list[Cost] = []
        done, began = False, time.perf_counter()
        while not done and len(costs) < _MOST_RUNS:
            if costs:
                time.sleep(_SETTLE_SECONDS)
            cost, done = side.run()
            costs.append(cost)
        seconds = time.perf_counter() - began
        there = tracker.counts(address)
        side.run()
        again = tracker.counts(address)["writes"] - there["writes"]
    return Row(
        tool=tool.name,
        place=place,
        lost=lost,
        rows=rows,
        runs=len(costs),
        seconds=seconds,
        mib=max(cost.mib for cost in costs),
        answers_lost=there["answers_lost"],
        duplicates=there["duplicates"],
        missing=rows - there["keys"],
        sent_again=again,
    )


def prepare_ours(home_folder: Path, address: str, place: str, rows: int) -> None:
    """A home with a ledger that is older than its issues, a queue of so many, and the tracker as its destination."""
    import yaml

    from benchmarks.queues import issues, publish
    from dagster_project.automation.ledger.ledger import Ledger
    from dagster_project.home import Home

    home = Home(home_folder)
    home.root.mkdir()
    now = datetime.now(UTC)
    Ledger(home.ledger_url, now=now - timedelta(days=1))
    publish(home, issues(rows, detected_at=now - timedelta(hours=1)))
    template = home.root / "short.md.j2"
    template.write_text(_TEMPLATE)
    destination = {**entry(address, place), "template": str(template)}
    (home.root / "destinations.yml").write_text(yaml.safe_dump({"version": 1, "destinations": [destination]}))


def entry(address: str, place: str) -> dict[str, Any]:
    """destinations.yml for the tracker: no pacing, settle time one second."""
    own: dict[str, Any] = {"kind": "webhook", "base_url": address + place}
    if place == tracker.TABLE:
        own = {"kind": "servicenow", "base_url": address, "user": "bot"}
    return {**own, "pace_seconds": 0, "settle_seconds": _SETTLE_SECONDS}


def prepare_theirs(project: Path, address: str, place: str, rows: int) -> None:
    """A drt project whose source table has the same bodies that our push sends."""
    import duckdb
    import polars as pl
    import yaml

    from benchmarks.queues import issues, publish
    from dagster_project.home import Home

    home = Home(project / "queue")
    publish(home, issues(rows, detected_at=datetime.now(UTC) - timedelta(hours=1)))
    bodies = pl.DataFrame(our_bodies(home)).with_row_index("number")
    with duckdb.connect(str(project / "warehouse.duckdb")) as connection:
        connection.register("bodies", bodies.to_arrow())
        connection.execute("create table tickets as select * from bodies")
    destination: dict[str, Any] = {"type": "rest_api", "url": address + place, "method": "POST"}
    if place == tracker.EVENTS:
        destination["native_idempotency_key"] = "{{ row.correlation_id }}"
    options = {
        "mode": "incremental",
        "cursor_field": "number",
        "on_error": "skip",
        "rate_limit": {"requests_per_second": 0},
        "dlq": {"enabled": True},
    }
    files = {
        "drt_project.yml": {"name": "tickets", "profile": "default"},
        ".drt/profiles.yml": {"default": {"type": "duckdb", "database": str(project / "warehouse.duckdb")}},
        "syncs/tickets.yml": {
            "name": "tickets",
            "model": "ref('tickets')",
            "destination": destination,
            "sync": options,
        },
    }
    for name, content in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content), encoding="utf-8")


def our_bodies(home: Any) -> list[dict[str, Any]]:
    """Capture the bodies that our push sends."""
    import httpx

    from dagster_project.automation.destinations.servicenow import ServiceNow, ServiceNowSettings
    from dagster_project.automation.tickets.brief import render
    from dagster_project.automation.tickets.issues import read_queue

    bodies: list[dict[str, Any]] = []

    def keep(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        record = {"sys_id": "1", "number": "1", "state": "1", "correlation_id": bodies[-1]["correlation_id"]}
        return httpx.Response(201, json={"result": record})

    os.environ.update(_SECRETS)
    settings = ServiceNowSettings.model_validate(entry("http://127.0.0.1", tracker.TABLE))
    servicenow = ServiceNow(settings, transport=httpx.MockTransport(keep))
    for issue in read_queue(home):
        servicenow.create(render(issue, servicenow.name))
    return bodies


PLACES = {tracker.TABLE: "a record for every request", tracker.EVENTS: "an id is taken once"}


def table(rows: Sequence[Row]) -> list[str]:
    """The rows as Markdown."""
    lines = [
        "| target | answers lost | tool | runs | seconds | rows a second | peak memory | duplicates | missing |"
        " sent by one more run |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    return lines + [
        f"| {PLACES[row.place]} | {row.answers_lost:,} | {row.tool} | {row.runs} | {row.seconds:,.1f} |"
        f" {row.rows / row.seconds:,.0f} | {row.mib:,.0f} MiB | {row.duplicates:,} | {row.missing:,} |"
        f" {row.sent_again:,} |"
        for row in rows
    ]


def main() -> None:
    """Prepare one side, or compare."""
    match sys.argv[1:]:
        case [("ours" | "theirs") as side, folder, address, place, rows]:
            prepare = prepare_ours if side == "ours" else prepare_theirs
            prepare(Path(folder), address, place, int(rows))
        case []:
            print("\n".join(table(compare())))
        case [rows]:
            print("\n".join(table(compare(int(rows)))))


if __name__ == "__main__":
    main()

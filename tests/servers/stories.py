"""The life of tickets that the tests play at every real tracker, with planned faults."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from dagster_project import lake
from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.tickets.issues import Issue
from dagster_project.automation.tickets.pull import pull
from dagster_project.automation.tickets.push import PushReport, push
from dagster_project.home import Home
from tests.automation.support import CHECKOUT, NOW, publish, resolved
from tests.automation.tickets.test_pull import decided
from tests.servers.processes import TOOLS, free_port, running

FAULTS = ["429", "503", "cut before", "502", "cut after", "silence"]
NODE = TOOLS / "node_modules" / ".bin"
MITMDUMP = TOOLS / "mitmproxy" / "bin" / "mitmdump"
BRISK = {"pace_seconds": 0, "timeout_seconds": 3}

needs_tools = pytest.mark.skipif(not MITMDUMP.exists(), reason="run `make test-servers`")


def planned(seed: int, often: float = 0.3) -> dict[str, str]:
    """Fault plan for the first sixty writes: the number of each that goes wrong, with its fault."""
    chance = random.Random(seed)
    return {str(write): chance.choice(FAULTS) for write in range(60) if chance.random() < often}


def issues(prefix: str, count: int) -> list[Issue]:
    """Issues with an owner each, so that no cap gathers them in an umbrella, however many pile up."""
    return [
        replace(CHECKOUT, issue_id=f"{prefix}-{n}", owner=f"owner of {prefix} {n}", product=f"shop {n}")
        for n in range(count)
    ]


@contextmanager
def validating(folder: Path, description: Path, upstream: str) -> Iterator[str]:
    """A proxy that refuses what a vendor's description does not allow, in both directions."""
    port = free_port()
    command: list[str | Path] = [
        NODE / "prism",
        "proxy",
        "--errors",
        "-p",
        str(port),
        description,
        upstream,
    ]
    with running(command, port, folder / f"{description.stem}.log"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def faulty(folder: Path, upstream: str, plan: dict[str, str], post_reads: str = "-") -> Iterator[str]:
    """A proxy in which writes go wrong as planned."""
    port = free_port()
    (folder / "plan.json").write_text(json.dumps(plan))
    command: list[str | Path] = [
        MITMDUMP,
        "--mode",
        f"reverse:{upstream}",
        "--listen-host",
        "127.0.0.1",
        "-p",
        str(port),
        "-q",
    ]
    command += ["-s", Path(__file__).with_name("faults.py")]
    own = {"FAULT_PLAN": str(folder / "plan.json"), "POST_READS": post_reads}
    with running(command, port, folder / "mitmproxy.log", own):
        yield f"http://127.0.0.1:{port}"


def tell(home: Home, configured: ConfiguredDestination, ours: list[Issue], *, together: int = 1) -> int:
    """Every issue is opened, gets less urgent and is over, in as many runs as that takes; how many.

    Of the runs so many are made at once, each with connections of its own.
    """
    now, runs = NOW, 0
    lowered = [replace(issue, priority="P2") for issue in ours]

    def run(_: int) -> PushReport:
        return push(
            home, now=now, destinations=[replace(configured, destination=copy.deepcopy(configured.destination))]
        )

    for stage in (ours, lowered, [resolved(issue) for issue in lowered]):
        publish(home, stage)
        for _ in range(40):
            now, runs = now + timedelta(minutes=6), runs + 1
            with ThreadPoolExecutor(together) as pool:
                reports = list(pool.map(run, range(together)))
            if not any(report.problems or report.unknown or report.deferred for report in reports):
                break
        else:
            raise AssertionError([report.problems for report in reports])
    return runs


def comes_back(home: Home, configured: ConfiguredDestination, issues: list[Issue]) -> dict[str, list[tuple[str, str]]]:
    """People's changes as the lake learns them: actor and new value by kind; a second pull learns nothing."""
    decided(home, issues)
    for learns in (True, False):
        report = pull(home, now=datetime.now(UTC), destinations=[configured])
        assert report.problems == [] and any(report.counts.values()) is learns, report
    found: dict[str, list[tuple[str, str]]] = {}
    for row in lake.scan(home, "ticket_events").filter(pl.col("by_person")).sort("occurred_at").collect().to_dicts():
        found.setdefault(row["event"], []).append((row["actor"], row["resolution"] or row["value"]))
    return found

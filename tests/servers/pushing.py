"""One push in a process of its own, to be killed: HOME URL NOW (ISO 8601); says when it begins to push."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.request_tracker import RequestTracker, RequestTrackerSettings
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.tickets.push import push
from dagster_project.home import Home


def main(root: str, url: str, now: str) -> None:
    """Push what is published."""
    home, present = Home.locate(Path(root)), datetime.fromisoformat(now)
    settings = RequestTrackerSettings.model_validate(
        {"kind": "request_tracker", "base_url": url, "queue": "General", "pace_seconds": 0, "settle_seconds": 1}
    )
    ledger = Ledger(home.ledger_url, now=present)
    print("begins", flush=True)
    push(home, now=present, destinations=[ConfiguredDestination(RequestTracker(settings))], ledger=ledger)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Is this installation well? One finding per part, each with what to fix."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dagster_project.automation.destinations import load_destinations
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.decisioning.playbook import load_playbook
from dagster_project.decisioning.published import read_mart
from dagster_project.errors import FeedbackControlError
from dagster_project.home import Home
from dagster_project.ingestion.sources import load_sources

_NEEDED = ("dagster", "dagster-dbt", "dbt-core", "dbt-duckdb", "duckdb", "polars", "setfit", "torch")
_FREE_GB = 2.0


@dataclass(frozen=True)
class Finding:
    """One part of the installation, whether it is well, and what was seen or has to be done."""

    subject: str
    ok: bool
    detail: str


def examine(home: Home, sources: Path | None = None) -> list[Finding]:
    """Look at every part; never raises for what it finds, and changes nothing but an empty ledger."""
    home.root.mkdir(parents=True, exist_ok=True)
    return [
        Finding("versions", True, ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _NEEDED)),
        _disk(home),
        _check("sources", lambda: f"{len(load_sources(home.sources(sources)))} configured in {home.sources(sources)}"),
        _check("playbook", _playbook),
        _check("destinations", lambda: ", ".join(one.name for one in load_destinations(home))),
        _check("warehouse", lambda: f"{read_mart(home, 'fct_issues', ['issue_id']).height} issues published"),
        _check("ledger", lambda: _ledger(home)),
    ]


def _check(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, look())
    except FeedbackControlError as error:
        return Finding(subject, False, str(error))


def _disk(home: Home) -> Finding:
    free = shutil.disk_usage(home.root).free / 1e9
    return Finding(
        "disk", free >= _FREE_GB, f"{free:.1f} GB free at {home.root}" + ("" if free >= _FREE_GB else "; make room")
    )


def _playbook() -> str:
    playbook = load_playbook()
    if playbook.is_stale(datetime.now(UTC).date()):
        raise FeedbackControlError(
            f"playbook.yml was to be reviewed by {playbook.review_by}; review it and move the date"
        )
    return f"version {playbook.version}, review by {playbook.review_by}"


def _ledger(home: Home) -> str:
    counts = Ledger(home.ledger_url).count_by_state()
    if counts.get("rejected"):
        raise FeedbackControlError(
            f"{counts['rejected']} intents were rejected; see `feedback-control run` for the reasons"
        )
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "empty"

"""Checks of landing, evaluated by the step that lands: every source was read, and little went to quarantine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
)

from dagster_project import display
from dagster_project.dagster_metadata import markdown
from dagster_project.ingestion.contracts import TABLES
from dagster_project.ingestion.landing import LandingReport
from dagster_project.ingestion.reading import SourceLine

CEILING = 0.01
EVERY_SOURCE, QUARANTINE = "every_source_was_read", "quarantine_share"


def check_specs() -> Iterator[AssetCheckSpec]:
    """The checks of each input table."""
    for table in TABLES:
        yield AssetCheckSpec(
            EVERY_SOURCE,
            asset=AssetKey(["lake", table]),
            description="Every configured source of this table could be read (else a warning), and none has been silent"
            " for longer than its `silent_after` (else an error).",
        )
        yield AssetCheckSpec(
            QUARANTINE,
            asset=AssetKey(["lake", table]),
            description=f"No file was lost, and at most {CEILING:.0%} of what this run read from any one source of this"
            " table went to quarantine.",
        )


def check_results(table: str, report: LandingReport) -> list[AssetCheckResult]:
    """The results for one table after a landing."""
    lines = [line for line in report.lines if line.table == table]
    return [_every_source(table, lines), _quarantine(table, lines)]


def _every_source(table: str, lines: Sequence[SourceLine]) -> AssetCheckResult:
    unread = [line for line in lines if line.state != "read"]
    silent = [line for line in lines if line.silent_since]
    return AssetCheckResult(
        check_name=EVERY_SOURCE,
        asset_key=AssetKey(["lake", table]),
        passed=not unread and not silent,
        severity=AssetCheckSeverity.ERROR if silent else AssetCheckSeverity.WARN,
        description="; ".join(line.problem for line in unread) or None,
        metadata={
            "sources": len(lines),
            "not read": ", ".join(f"{line.source} ({line.state})" for line in unread) or "none",
            "silent": ", ".join(f"{line.source} since {line.silent_since:%Y-%m-%d %H:%M}" for line in silent) or "none",
            "report": markdown(source_table(lines)),
        },
    )


def _quarantine(table: str, lines: Sequence[SourceLine]) -> AssetCheckResult:
    bad = {line.source: line.quarantined / max(line.read, line.quarantined) for line in lines if line.quarantined}
    lost = [line for line in lines if line.state in ("damaged", "unreadable") and line.problem]
    over = [source for source, share in bad.items() if share > CEILING]
    return AssetCheckResult(
        check_name=QUARANTINE,
        asset_key=AssetKey(["lake", table]),
        passed=not over and not lost,
        severity=AssetCheckSeverity.WARN,
        description="; ".join(line.problem for line in lost) or None,
        metadata={
            "in quarantine in this run": sum(line.quarantined for line in lines),
            "read in this run": sum(line.read for line in lines),
            "share by source": {source: round(share, 4) for source, share in sorted(bad.items())},
        },
    )


def source_table(lines: Sequence[SourceLine]) -> str:
    """The report on each source as a Markdown table."""
    rows = [
        {
            "source": line.source,
            "reader": line.reader,
            "table": line.table,
            "state": line.state,
            "files": line.files + line.files_unchanged,
            "read": line.read,
            "new": line.landed,
            "quarantined": line.quarantined,
            "newest occurred": line.newest_occurred_at and f"{line.newest_occurred_at:%Y-%m-%d %H:%M}",
            "newest known": line.newest_known_at and f"{line.newest_known_at:%Y-%m-%d %H:%M}",
            "silent since": line.silent_since and f"{line.silent_since:%Y-%m-%d %H:%M}",
            "problem": line.problem or None,
        }
        for line in lines
    ]
    return display.markdown_table(rows) or "No source is configured."

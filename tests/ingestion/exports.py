"""Small exports to land, and what came of them."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from dagster_project import lake
from dagster_project.home import Home
from dagster_project.ingestion.landing import LandingReport, land
from dagster_project.ingestion.reading import SourceLine
from dagster_project.ingestion.sources import SourceConfig

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HEADER = "feedback_id,source,channel,product,occurred_at,text,rating,mood\n"


def row(number: int, text: str = "it broke", **changes: str) -> str:
    values = {
        "feedback_id": f"f{number}",
        "source": "shop",
        "channel": "chat",
        "product": "app",
        "occurred_at": f"2026-04-{number % 28 + 1:02d}T10:00:00Z",
        "text": text,
        "rating": "2",
        "mood": "sour",
    }
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow([changes.get(name, value) for name, value in values.items()])
    return written.getvalue()


def source(path: str, base: Path, **settings: Any) -> SourceConfig:
    return SourceConfig(name="exports", table="feedback", path=path, base=base, **settings)


def run(home: Home, *sources: SourceConfig, now: datetime = NOW) -> tuple[SourceLine, LandingReport]:
    report = land(home, list(sources), now=now)
    return report.lines[0], report


def balanced(line: SourceLine) -> bool:
    """Every record read is in exactly one count."""
    return line.read == line.landed + line.changed + line.unchanged + line.quarantined + sum(line.skipped.values())


def held(home: Home, table: str = "feedback") -> pl.DataFrame:
    return lake.scan(home, table).collect()

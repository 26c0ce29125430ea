"""A labelled lake written by hand, so that decisions are tested without reading files or running the classifier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from dagster_project import lake
from dagster_project.home import Home
from dagster_project.lake_tables import schema_of


@dataclass
class LakeBuilder:
    """Collects rows by table and writes them to a home's lake; every row's other columns are null."""

    home: Home
    rows: dict[str, list[dict[str, object]]] = field(default_factory=dict)

    def add(self, table: str, **values: object) -> None:
        """Add one row."""
        self.rows.setdefault(table, []).append(values)

    def complain(
        self, issue_type: str, at: datetime, *, product: str = "app", duplicate_of: str | None = None, **values: object
    ) -> None:
        """One piece of feedback, labelled as soon as it is known: five minutes after it was said, unless told."""
        number = len(self.rows.get("feedback", []))
        feedback_id, known_at = f"f{number:06d}", values.pop("known_at", at + timedelta(minutes=5))
        self.add(
            "feedback",
            feedback_id=feedback_id,
            source="test",
            channel=values.pop("channel", "app_review"),
            product=product,
            occurred_at=at,
            text=f"text {number}",
            known_at=known_at,
            schema_version=1,
            content_hash="1",
            **values,
        )
        self.add(
            "labels",
            duplicate_of=duplicate_of,
            feedback_id=feedback_id,
            text_hash="1",
            model_version="test",
            issue_type=issue_type,
            best_type=issue_type,
            confidence=0.9,
            abstained=False,
            masked_text=f"a complaint that is long enough to be quoted, number {number}",
            known_at=known_at,
            labeled_at=known_at,
        )

    def write(self) -> None:
        """Write everything collected."""
        lake.ensure_tables(self.home)
        for table, rows in self.rows.items():
            lake.append(self.home, table, pl.DataFrame(rows, schema=schema_of(table), infer_schema_length=None))


def hours(start: datetime, end: datetime, every: float) -> Iterator[datetime]:
    """Instants from start (included) to end (not), evenly spaced in hours."""
    at = start
    while at < end:
        yield at
        at += timedelta(hours=every)

"""Google Play Console: the monthly reviews export, CSV in UTF-16 with a byte-order mark.

Ratings without a text are counted and skipped: they name no problem.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dagster_project.ingestion.readers.generic import read_csv
from dagster_project.ingestion.records import Record, Reject, Tally
from dagster_project.ingestion.sources import SourceConfig

DEFAULTS: dict[str, object] = {"channel": "app_review", "source": "google_play", "platform": "android"}

_COLUMNS = {
    "Package Name": "product",
    "App Version Name": "app_version",
    "Reviewer Language": "language",
    "Device": "device",
    "Review Submit Date and Time": "occurred_at",
    "Review Last Update Date and Time": "updated_at",
    "Star Rating": "rating",
    "Review Title": "title",
    "Review Text": "text",
    "Review Link": "url",
}


def read(path: Path, source: SourceConfig, tally: Tally) -> Iterator[Record | Reject]:
    """Read the reviews; columns that we do not have keep their own name."""
    for record in read_csv(path, source, tally):
        if isinstance(record, Reject):
            yield record
            continue
        if not (record.values.get("Review Text") or record.values.get("Review Title") or "").strip():
            tally.skip("a rating without a text")
            continue
        values = {_COLUMNS.get(name, name): value or None for name, value in record.values.items()}
        values["text"] = values.get("text") or values.get("title")
        # A review has no id of its own; its link carries one, and the submit instant is unique enough without it.
        link = str(values.get("url") or "")
        marks = [record.values.get(name, "") for name in ("Package Name", "Review Submit Millis Since Epoch", "Device")]
        values["feedback_id"] = "gp-" + (
            link.rpartition("reviewId=")[2].split("&")[0] if "reviewId=" in link else "-".join(marks)
        )
        yield Record(values, record.line)

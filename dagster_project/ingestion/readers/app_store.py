"""Apple's App Store: the public RSS feed of customer reviews (JSON) and App Store Connect's customerReviews (JSON).

Both are one JSON document, told apart by its structure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dagster_project.errors import SourceError
from dagster_project.ingestion.file_access import read_json
from dagster_project.ingestion.records import Record, Reject, Tally, as_record
from dagster_project.ingestion.sources import SourceConfig

DEFAULTS: dict[str, object] = {"channel": "app_review", "source": "app_store", "platform": "ios"}


def read(path: Path, source: SourceConfig, tally: Tally) -> Iterator[Record | Reject]:
    """Read the reviews of a document.

    Raises:
        SourceError: the document is neither of the two kinds.
    """
    document = read_json(path, source.encoding, source.limits)
    if isinstance(document, dict) and isinstance(document.get("feed"), dict):
        entries = document["feed"].get("entry", [])
        entries = entries if isinstance(entries, list) else [entries]
        return _records(entries, _from_rss, tally)
    if isinstance(document, dict) and isinstance(document.get("data"), list):
        return _records(document["data"], _from_connect, tally)
    raise SourceError(
        f"{path.name} is neither a customer-reviews RSS feed (`feed`) nor App Store Connect's answer (`data`)"
    )


def _records(entries: list[Any], convert: Callable[[Any], dict[str, Any]], tally: Tally) -> Iterator[Record | Reject]:
    for number, entry in enumerate(entries, start=1):
        if convert is _from_rss and isinstance(entry, dict) and "im:rating" not in entry:
            tally.skip("the feed's entry about the app itself")
        else:
            yield as_record(convert, entry, number)


def _from_rss(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "feedback_id": "as-" + entry["id"]["label"],
        "title": entry["title"]["label"],
        "text": entry["content"]["label"],
        "rating": entry["im:rating"]["label"],
        "app_version": entry["im:version"]["label"],
        "occurred_at": entry["updated"]["label"],
        "author": entry["author"]["name"]["label"],
        "url": entry.get("author", {}).get("uri", {}).get("label"),
    }


def _from_connect(entry: dict[str, Any]) -> dict[str, Any]:
    attributes = dict(entry["attributes"])
    values = {
        "feedback_id": "asc-" + entry["id"],
        "title": attributes.pop("title", None),
        "text": attributes.pop("body", None) or attributes.get("title"),
        "rating": attributes.pop("rating"),
        "occurred_at": attributes.pop("createdDate"),
        "country": attributes.pop("territory", None),
    }
    values["text"] = values["text"] or values["title"]
    return values | {name: value for name, value in attributes.items() if name != "title"}

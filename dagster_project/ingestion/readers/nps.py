"""NPS and other surveys: a CSV with a score, a comment and an instant, under the names that survey tools use.

Scores without a comment are counted and skipped: they name no problem.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dagster_project.errors import SourceError
from dagster_project.ingestion.readers.generic import read_csv
from dagster_project.ingestion.records import Record, Reject, Tally
from dagster_project.ingestion.sources import SourceConfig

DEFAULTS: dict[str, object] = {"channel": "nps", "source": "survey"}

_SYNONYMS = {
    "nps_score": ("nps_score", "score", "nps", "rating", "likelihood to recommend", "how likely"),
    "text": ("text", "comment", "comments", "feedback", "verbatim", "open text", "reason", "answer"),
    "occurred_at": (
        "occurred_at",
        "responded_at",
        "response date",
        "submitted_at",
        "submit date",
        "created_at",
        "date",
        "timestamp",
    ),
    "feedback_id": ("feedback_id", "response_id", "response id", "survey_response_id", "id", "#"),
    "customer_id": ("customer_id", "customer id", "user_id", "user id", "external_id"),
}


def read(path: Path, source: SourceConfig, tally: Tally) -> Iterator[Record | Reject]:
    """Read the answers of a survey.

    Raises:
        SourceError: no column for the score, the comment or the instant; the message names it.
    """
    names: dict[str, str] = {}
    for record in read_csv(path, source, tally):
        if isinstance(record, Reject):
            yield record
            continue
        names = names or _recognise(path, list(record.values), source)
        values = {names.get(name, name): value or None for name, value in record.values.items()}
        if not values.get("text"):
            tally.skip("a score without a comment")
            continue
        if not values.get("feedback_id"):
            values["feedback_id"] = f"{source.name}-{path.name}-{record.line}"
        yield Record(values, record.line)


def _recognise(path: Path, columns: list[str], source: SourceConfig) -> dict[str, str]:
    by_name = {name.strip().lower(): name for name in columns}
    found = dict(source.renames)
    for ours, synonyms in _SYNONYMS.items():
        match = next((by_name[word] for word in synonyms if word in by_name), None)
        if match and ours not in found.values():
            found.setdefault(match, ours)
    missing = {"nps_score", "text", "occurred_at"} - set(found.values())
    if missing:
        raise SourceError(
            f"{path.name}: no column looks like {sorted(missing)[0]} (has {', '.join(columns)}); name it in `renames`"
        )
    return found

"""Prometheus: ``query_range`` over HTTP (or its saved JSON answers) into ``service_metrics``.

Each configured query fills one column; samples with the same labels and instant become one row. The queries should give
counts per step, for example ``sum by (service) (increase(http_requests_total[15m]))``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dagster_project.errors import SourceError
from dagster_project.ingestion.api_client import ApiClient
from dagster_project.ingestion.file_access import read_json
from dagster_project.ingestion.records import Record, Reject, Tally, as_raw
from dagster_project.ingestion.sources import Query, SourceConfig

_MAX_POINTS = 10_000
"""Prometheus refuses more than 11,000 points a series in one answer."""

Series = dict[tuple[tuple[str, str], ...], dict[str, float]]


def fetch(source: SourceConfig, window: tuple[datetime, datetime], client: ApiClient) -> Iterator[Record | Reject]:
    """Fetch the rows of a time window, page by page.

    Raises:
        SourceError: the server cannot be reached, or refuses a query; the message names it.
    """
    step = timedelta(seconds=source.step_seconds)
    start, end = window
    while start < end:
        stop = min(end, start + step * _MAX_POINTS)
        rows: Series = {}
        for query in source.queries:
            answer = _ask(source, query, start + step, stop, client)
            _collect(rows, query.column, answer, source)
        yield from _records(rows)
        start = stop


def read(path: Path, source: SourceConfig, tally: Tally) -> Iterator[Record | Reject]:
    """Read a saved answer: a JSON object of column name to ``query_range`` answer."""
    document = read_json(path, source.encoding, source.limits)
    if not isinstance(document, dict) or not all(isinstance(answer, dict) for answer in document.values()):
        raise SourceError(f"{path.name} must map column names (requests, errors, …) to query_range answers")
    rows: Series = {}
    for column, answer in document.items():
        _collect(rows, column, answer, source)
    yield from _records(rows)


def _ask(source: SourceConfig, query: Query, start: datetime, end: datetime, client: ApiClient) -> dict[str, Any]:
    parameters = {
        "query": query.expression,
        "start": f"{start.timestamp():.3f}",
        "end": f"{end.timestamp():.3f}",
        "step": str(source.step_seconds),
    }
    about = f"`{query.expression}`"
    answer = client.json(client.get("/api/v1/query_range", parameters=parameters, about=about))
    if not isinstance(answer, dict) or answer.get("status", "success") != "success":
        raise SourceError(f"{source.name}: {source.address} did not answer {about} as Prometheus does; check `url`")
    return answer


def _collect(rows: Series, column: str, answer: dict[str, Any], source: SourceConfig) -> None:
    """Shift samples from the end of their bucket (Prometheus) to its start (ours).

    Raises:
        SourceError: the answer is not one of ``query_range``.
    """
    try:
        for series in (answer.get("data") or {}).get("result", []):
            labels = {
                source.labels.get(name, name): value for name, value in series["metric"].items() if name != "__name__"
            }
            for instant, value in series["values"]:
                begin = datetime.fromtimestamp(float(instant) - source.step_seconds, UTC).isoformat()
                key = tuple(sorted({**labels, "bucket_start": begin}.items()))
                rows.setdefault(key, {})[column] = float(value)
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError, OSError) as error:
        said = " ".join(str(error).split())[:200]
        raise SourceError(
            f"the answer for {column} is none of query_range ({said}); check `url` and `queries`"
        ) from None


def _records(rows: Series) -> Iterator[Record | Reject]:
    for key, values in rows.items():
        row: dict[str, Any] = {**dict(key), "requests": 0, "errors": 0, **values}
        odd = next((name for name in ("requests", "errors") if not math.isfinite(row[name])), "")
        if odd:
            yield Reject(
                f"{odd} is {row[odd]} in the bucket {row['bucket_start']}; let the query give a count, for example by"
                " `or vector(0)`",
                raw=as_raw(row),
            )
            continue
        row["requests"], row["errors"] = round(row["requests"]), min(round(row["errors"]), round(row["requests"]))
        yield Record(
            {
                name: None if isinstance(value, float) and not math.isfinite(value) else value
                for name, value in row.items()
            }
        )

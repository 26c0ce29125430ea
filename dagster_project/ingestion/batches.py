"""Batches of records: bounded in rows and bytes, within the limits on a whole file and on one record."""

from __future__ import annotations

from collections.abc import Iterator

from dagster_project.ingestion.limits import Deadline, LimitError, Limits, depth_of
from dagster_project.ingestion.records import Record, Reject

BATCH = 50_000
"""Records per batch: as Python objects they take much more memory than as rows."""
_BATCH_BYTES = 32 * 1024 * 1024
_OTHER_VALUE = 8
_CHECK_EVERY = 256


def batches(records: Iterator[Record | Reject], limits: Limits, what: str) -> Iterator[list[Record | Reject]]:
    """Records in batches of bounded size; what was read before a failure comes before the failure.

    Raises:
        SourceError: the reader failed, or a limit was reached.
    """
    deadline = Deadline(limits, "file_seconds")
    batch: list[Record | Reject] = []
    size = total = 0
    failure: Exception | None = None
    try:
        for number, item in enumerate(records, start=1):
            size += _size(item)
            if total + size > limits.inflated_bytes:
                raise LimitError(f"{what} holds too much", "inflated_bytes", limits.value("inflated_bytes"))
            if number > limits.rows:
                raise LimitError(f"{what} has too many rows", "rows", limits.value("rows"))
            batch.append(_bounded(item, limits))
            if number % _CHECK_EVERY == 0:
                deadline.check(what)
            if len(batch) >= BATCH or size >= _BATCH_BYTES:
                yield batch
                batch, total, size = [], total + size, 0
    except Exception as error:
        failure = error
    if batch:
        yield batch
    if failure:
        raise failure


def _size(item: Record | Reject) -> int:
    """Approximate bytes of a record's values in memory."""
    if isinstance(item, Reject):
        return len(item.raw)
    return sum(len(value) if isinstance(value, str) else _OTHER_VALUE for value in item.values.values())


def _bounded(item: Record | Reject, limits: Limits) -> Record | Reject:
    """The record, or a reject if it is too wide or nested too deeply."""
    if isinstance(item, Reject):
        return item
    if len(item.values) > limits.columns:
        return Reject(
            f"it has {len(item.values):,} columns (`limits.columns`: {limits.columns:,})", item.line, item.raw()
        )
    nested = [value for value in item.values.values() if isinstance(value, dict | list)]
    if nested and depth_of(nested, limits.depth + 1) > limits.depth:
        return Reject(f"it is nested too deeply (`limits.depth`: {limits.depth})", item.line, item.raw())
    return item

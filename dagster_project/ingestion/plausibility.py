"""Plausibility bounds of a row's instants, against the instant of its reading.

A row that happened in the future, or before 1990, goes to quarantine: the source's clock, `date_format` or `timezone`
is wrong. A row cannot be known after it was read: a later ``known_at`` counts as known now, and is reported. In a
replay home the present of the rows is not that of the reading, so nothing is judged there.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from dagster_project.clock import SKEW

_FIRST = datetime(1990, 1, 1, tzinfo=UTC)
_ZONES = timedelta(days=1)
"""Error that a wrong time zone makes, at most."""
_PLANNED = timedelta(days=400)

_LATEST = {
    "feedback": ("occurred_at", _ZONES),
    "service_metrics": ("bucket_start", _ZONES),
    "funnel_metrics": ("bucket_start", _ZONES),
    "orders": ("ordered_at", _ZONES),
    "flag_changes": ("changed_at", _ZONES),
    "releases": ("deployed_at", _PLANNED),
    "campaigns": ("started_at", _PLANNED),
}
"""By table, the column that says when a row happened, and how far after its reading that may be. Plans may be ahead."""


def implausible(rows: pl.DataFrame, table: str, now: datetime) -> dict[int, str]:
    """By position, why the row cannot have happened when it says."""
    if table not in _LATEST:
        return {}
    column, ahead = _LATEST[table]
    wrong = rows.select(pl.int_range(pl.len()).alias("position"), pl.col(column).alias("at")).filter(
        (pl.col("at") > now + ahead) | (pl.col("at") < _FIRST)
    )
    return {
        position: f"{column} {at:%Y-%m-%d %H:%M} UTC is not plausible: it is {now:%Y-%m-%d}; look at the source's"
        " clock, `date_format` and `timezone`"
        for position, at in wrong.iter_rows()
    }


def without_future(rows: pl.DataFrame, now: datetime) -> tuple[pl.DataFrame, str]:
    """The rows, without a ``known_at`` that is not plausible, and a line about those; empty if there are none."""
    wrong = (pl.col("known_at") > now + SKEW) | (pl.col("known_at") < _FIRST)
    found = rows.filter(wrong)
    if found.is_empty():
        return rows, ""
    first, line = found.select("known_at", "line").row(0)
    where = f", line {line}" if line else ""
    said = (
        f"known_at is not plausible in {found.height:,} row{'s' if found.height > 1 else ''} (first"
        f" {first:%Y-%m-%d %H:%M} UTC{where}); they count as known now"
    )
    return rows.with_columns(known_at=pl.when(wrong).then(None).otherwise("known_at")), said

"""Versions of a row: which rows of a reading are new, and where each takes its place among the versions of its key.

The version with the latest ``known_at`` is the current one, so placing a version is giving it its ``known_at``. A row
that brings one keeps it. Any other is known as of its reading, unless a version is there already that is newer: then it
goes a microsecond before that. What is newer is told by ``updated_at`` where both rows have it; else by which of their
files was read first. Versions are never moved or taken away.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from dagster_project import lake
from dagster_project.home import Home
from dagster_project.ingestion.contracts import TABLES
from dagster_project.ingestion.sources import SourceConfig
from dagster_project.ingestion.validation import instant_of
from dagster_project.lake_tables import INSTANT

_STEP = timedelta(microseconds=1)
_CORRECTIONS = timedelta(microseconds=100)
"""Versions known this close to an instant that a source supplied are other readings of that same instant."""


_NEVER = datetime.min.replace(tzinfo=UTC)
"""Sorts rows without an instant before all others."""


@dataclass(frozen=True)
class Moment:
    """When a file, or an API's answer, is read.

    Attributes:
        known: ``known_at`` of its rows that bring none.
        seen: when this same content was read for the first time; ``known`` if it is new.
        said: content hashes of what the file held when it was last read; None if that is not on record.
    """

    known: datetime
    seen: datetime
    said: frozenset[str] | None = None


@dataclass(frozen=True)
class Placed:
    """What is new of a reading.

    Attributes:
        places: the rows to append, by ``position``, each with its ``known_at``.
        new_keys: how many of them are the first of a key that the lake did not hold.
        contradictions: positions of rows that say something else than one before them of the same key and instant.
    """

    places: pl.DataFrame
    new_keys: int
    contradictions: list[int]


@dataclass(frozen=True, slots=True)
class _Row:
    """What places a row that was read."""

    position: int
    known_at: datetime | None
    updated: datetime | None
    content_hash: str
    loaded_from: str


@dataclass(frozen=True, slots=True)
class _Version:
    """A version of a key: in the lake, or ``fresh`` from this reading; ``supplied`` if the source gave ``known_at``."""

    known: datetime
    content: str
    updated: datetime | None
    loaded_from: str
    supplied: bool = False
    fresh: bool = False


def place(home: Home, source: SourceConfig, rows: pl.DataFrame, moment: Moment) -> Placed:
    """Find the rows that are new to the lake, and their places.

    Args:
        home: where the lake is.
        source: the source that is read.
        rows: everything one reading gives: the table's columns with ``known_at`` where the source supplies it,
            ``updated`` likewise, ``position`` in reading order.
        moment: when it is read.
    """
    key = list(TABLES[source.target].key)
    # Only what places a row: the rows themselves are large.
    light = rows.select(*key, "position", "known_at", "updated", "content_hash", "loaded_from")
    held = (
        lake.scan(home, source.target)
        .select(*key, "known_at", "content_hash", "loaded_from")
        .join(light.lazy().select(key).unique(), on=key, how="semi", nulls_equal=True)
        .collect()
    )
    current = held.sort("known_at").unique(key, keep="last").select(*key, current_at="known_at", current="content_hash")
    light = light.with_columns(single=pl.len().over(key) == 1).join(
        current, on=key, how="left", nulls_equal=True, maintain_order="left"
    )
    is_fresh = pl.col("single") & pl.col("current_at").is_null()
    in_force = (pl.col("current") == pl.col("content_hash")) & (
        pl.col("known_at").is_null() | (pl.col("known_at") >= pl.col("current_at"))
    )
    fresh = light.filter(is_fresh).select("position", pl.col("known_at").fill_null(moment.known).cast(INSTANT))
    contested = light.filter(~is_fresh & ~(pl.col("single") & in_force.fill_null(False)))
    settled = _settle(home, source, contested.drop("single", "current_at", "current"), held, moment)
    others = pl.DataFrame(list(settled.places.items()), {"position": pl.Int64, "known_at": INSTANT}, orient="row")
    return Placed(pl.concat([fresh, others]), fresh.height + settled.new_keys, settled.contradictions)


@dataclass
class _Settled:
    """Places by position, how many of their keys are new to the lake, and the positions of contradictions."""

    places: dict[int, datetime] = field(default_factory=dict)
    new_keys: int = 0
    contradictions: list[int] = field(default_factory=list)


def _settle(home: Home, source: SourceConfig, contested: pl.DataFrame, held: pl.DataFrame, moment: Moment) -> _Settled:
    """Place the rows of the keys that have several versions, one key after the other."""
    key = list(TABLES[source.target].key)
    settled = _Settled()
    if contested.is_empty():
        return settled
    width = len(key)
    updates = _held_updates(home, source, contested, key)
    timelines: dict[tuple[Any, ...], list[_Version]] = {}
    held = held.join(contested.select(key).unique(), on=key, how="semi", nulls_equal=True)
    for values in held.select(*key, "known_at", "content_hash", "loaded_from").iter_rows():
        known, content, origin = values[width:]
        timelines.setdefault(values[:width], []).append(_Version(known, content, updates.get(content), origin))
    candidates: dict[tuple[Any, ...], list[_Row]] = {}
    for values in contested.select(*key, *_Row.__match_args__).iter_rows():
        candidates.setdefault(values[:width], []).append(_Row(*values[width:]))
    for names, rows in candidates.items():
        timeline = timelines.get(names, [])
        was_new = not timeline
        for row in _without_repeats(rows, settled.contradictions):
            new = _next_version(row, timeline, moment)
            if new is not None:
                timeline.append(new)
                settled.places[row.position] = new.known
        settled.new_keys += was_new and bool(timeline)
    return settled


def _held_updates(home: Home, source: SourceConfig, contested: pl.DataFrame, key: list[str]) -> dict[str, datetime]:
    """``updated_at`` of the versions in the lake by content hash, as far as it can matter and be read."""
    keys = contested.filter(pl.col("updated").is_not_null()).select(key).unique()
    if keys.is_empty():
        return {}
    held = (
        lake.scan(home, source.target)
        .filter(pl.col("attributes").str.contains('"updated_at"', literal=True))
        .join(keys.lazy(), on=key, how="semi", nulls_equal=True)
        .select("content_hash", "attributes")
        .collect()
    )
    found: dict[str, datetime] = {}
    for content, attributes in held.iter_rows():
        try:
            found[content] = instant_of(json.loads(attributes)["updated_at"], source)
        except (KeyError, ValueError, TypeError, OverflowError):
            continue
    return found


def _without_repeats(rows: Iterable[_Row], contradictions: list[int]) -> list[_Row]:
    """A key's rows in the order to place them; of one instant only the first, and those that differ are contradictions.

    Those with an instant of their own for ``known_at`` come first, the earliest before the later. The others go the
    other way round: the last is known now, and those before it give way.
    """
    first: dict[tuple[datetime | None, datetime | None], _Row] = {}
    for row in rows:
        same = first.setdefault((row.known_at, row.updated), row)
        if same.content_hash != row.content_hash:
            contradictions.append(row.position)

    def instants(row: _Row) -> tuple[datetime, datetime]:
        return row.known_at or _NEVER, row.updated or _NEVER

    supplied = [row for row in first.values() if row.known_at is not None]
    others = [row for row in first.values() if row.known_at is None]
    return sorted(supplied, key=instants) + sorted(others, key=instants, reverse=True)


def _next_version(row: _Row, timeline: Sequence[_Version], moment: Moment) -> _Version | None:
    """The row as a version with its place, or None when the lake knows it already."""
    supplied = row.known_at is not None
    new = _Version(row.known_at or moment.known, row.content_hash, row.updated, row.loaded_from, supplied, fresh=True)
    later: list[_Version] = []
    earlier: list[_Version] = []
    for version in timeline:
        (later if _follows(version, new, moment) else earlier).append(version)
    if _is_known(new, earlier, later, moment):
        return None
    taken = {version.known for version in timeline}
    known = new.known
    if new.supplied:
        later = [version for version in later if _same_instant(version, new)]
        earlier = [version for version in earlier if _same_instant(version, new)]
    if later:
        known = min(version.known for version in later) - _STEP
        while known in taken:
            known -= _STEP
    elif earlier:
        known = max(known, max(version.known for version in earlier) + _STEP)
        while known in taken:
            known += _STEP
    return replace(new, known=known)


def _follows(version: _Version, new: _Version, moment: Moment) -> bool:
    """Whether a version that is there comes after the new one."""
    both_updated = version.updated is not None and new.updated is not None and version.updated != new.updated
    if new.supplied and not _same_instant(version, new):
        return version.known > new.known
    if both_updated:
        assert version.updated is not None
        assert new.updated is not None
        return version.updated > new.updated
    if new.supplied:
        return False
    if version.fresh:
        return not version.supplied or version.known > new.known
    return version.loaded_from != new.loaded_from and version.known > moment.seen


def _is_known(new: _Version, earlier: Sequence[_Version], later: Sequence[_Version], moment: Moment) -> bool:
    """Whether the row says nothing new: it is in force at its place, or its file said it before."""
    if earlier and max(earlier, key=lambda version: version.known).content == new.content:
        return True
    versions = [*earlier, *later]
    if new.supplied:
        versions = [version for version in versions if _same_instant(version, new)]
        later = [version for version in later if _same_instant(version, new)]
    if not any(version.content == new.content for version in versions):
        return False
    if later or (moment.said is not None and new.content in moment.said):
        return True
    if moment.said is not None:
        return False
    own = [version for version in versions if version.loaded_from == new.loaded_from]
    return bool(own) and max(own, key=lambda version: version.known).content == new.content


def _same_instant(version: _Version, new: _Version) -> bool:
    return abs(version.known - new.known) < _CORRECTIONS

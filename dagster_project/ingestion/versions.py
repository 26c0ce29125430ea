"""Row versions (append-only history): find the new rows of a reading and their order among the versions of a key.

The version with the latest ``known_at`` is current, so ordering a version means choosing its ``known_at``. A row that
brings one keeps it. Any other gets the instant of its reading; if the lake holds a newer version, it goes a microsecond
before that. Newer means the later ``updated_at`` where both rows have one, else the file that was first read later.
Versions are never moved or deleted.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from dagster_project import lake
from dagster_project.home import Home
from dagster_project.ingestion.contracts import TABLES
from dagster_project.ingestion.limits import Deadline
from dagster_project.ingestion.sources import SourceConfig
from dagster_project.ingestion.validation import instant_of
from dagster_project.lake_tables import INSTANT

_STEP = timedelta(microseconds=1)
_CORRECTIONS = timedelta(microseconds=100)
"""Versions known this close to a supplied instant are corrections of that same instant."""


_NEVER = datetime.min.replace(tzinfo=UTC)
"""Sorts rows without an instant before all others."""


@dataclass(frozen=True)
class Moment:
    """Time of one reading of a file or an API's answer.

    Attributes:
        known: ``known_at`` for rows without one.
        seen: first reading of this same content; ``known`` if it is new.
        said: content hashes of the file's rows at its last reading; None if not on record.
    """

    known: datetime
    seen: datetime
    said: frozenset[str] | None = None


@dataclass(frozen=True)
class NewVersions:
    """New rows of a reading.

    Attributes:
        places: rows to append, by ``position``, each with its ``known_at``.
        new_keys: number of keys that the lake did not hold.
        contradictions: positions of rows that differ from an earlier row of the same key and instant.
        excess: positions of rows beyond ``limits.versions`` of one key at one instant; ordering them takes quadratic
            time.
    """

    places: pl.DataFrame
    new_keys: int
    contradictions: list[int]
    excess: list[int]


@dataclass(frozen=True, slots=True)
class _Row:
    """Ordering columns of a row."""

    position: int
    known_at: datetime | None
    updated: datetime | None
    content_hash: str
    loaded_from: str


@dataclass(frozen=True, slots=True)
class _Version:
    """A version of a key: in the lake, or ``fresh`` (this reading); ``supplied`` if the source gave ``known_at``."""

    known: datetime
    content: str
    updated: datetime | None
    loaded_from: str
    supplied: bool = False
    fresh: bool = False


def new_versions(home: Home, source: SourceConfig, rows: pl.DataFrame, moment: Moment) -> NewVersions:
    """Find the rows that are new to the lake, and choose their ``known_at``.

    Args:
        home: home of the lake.
        source: the source.
        rows: all rows of one reading: the table's columns, ``known_at`` and ``updated`` where the source supplies them,
            ``position`` in reading order.
        moment: time of the reading.
    """
    key = list(TABLES[source.target].key)
    # Ordering columns only: the rows are large.
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
    return NewVersions(
        pl.concat([fresh, others]), fresh.height + settled.new_keys, settled.contradictions, settled.excess
    )


@dataclass
class _Settled:
    """``known_at`` by position, number of new keys, and positions of contradictions and of excess versions."""

    places: dict[int, datetime] = field(default_factory=dict)
    new_keys: int = 0
    contradictions: list[int] = field(default_factory=list)
    excess: list[int] = field(default_factory=list)


def _settle(home: Home, source: SourceConfig, contested: pl.DataFrame, held: pl.DataFrame, moment: Moment) -> _Settled:
    """Order the rows of keys with several versions, key by key."""
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
    deadline = Deadline(source.limits, "file_seconds")
    for names, rows in candidates.items():
        deadline.check(f"{source.name}: the ordering of versions")
        timeline = sorted(timelines.get(names, []), key=_known)
        taken = {version.known for version in timeline}
        was_new = not timeline
        for row in _bounded(_without_repeats(rows, settled.contradictions), source.limits.versions, settled.excess):
            new = _next_version(row, _relevant(row, timeline), taken, moment)
            if new is not None:
                insort(timeline, new, key=_known)
                taken.add(new.known)
                settled.places[row.position] = new.known
        settled.new_keys += was_new and bool(timeline)
    return settled


def _held_updates(home: Home, source: SourceConfig, contested: pl.DataFrame, key: list[str]) -> dict[str, datetime]:
    """``updated_at`` of relevant versions in the lake, by content hash; unreadable ones are left out."""
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
    """Rows of a key in the order of processing; repeats are dropped, and differing repeats are contradictions.

    Rows with a supplied ``known_at`` come first, ascending. The others follow in descending order: the last one gets
    the instant of the reading, earlier ones go before it.
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


def _bounded(rows: Sequence[_Row], most: int, excess: list[int]) -> Iterator[_Row]:
    """Rows of a key, at most ``most`` of one instant; the latest ones stay."""
    left = Counter(row.known_at for row in rows)
    without = left[None]
    for row in rows:
        # Rows with an instant come with ascending, the others with descending ``updated_at``.
        over = left[row.known_at] > most if row.known_at else without - left[None] >= most
        left[row.known_at] -= 1
        if over:
            excess.append(row.position)
        else:
            yield row


def _relevant(row: _Row, timeline: Sequence[_Version]) -> Sequence[_Version]:
    """Versions that decide about a row: around a supplied instant, and the one before; else all of them."""
    if row.known_at is None:
        return timeline
    start = bisect_left(timeline, row.known_at - _CORRECTIONS, key=_known)
    return timeline[max(0, start - 1) : bisect_right(timeline, row.known_at + _CORRECTIONS, key=_known)]


def _known(version: _Version) -> datetime:
    return version.known


def _next_version(
    row: _Row, timeline: Sequence[_Version], taken: Container[datetime], moment: Moment
) -> _Version | None:
    """The row as a version with its ``known_at``, at none of the instants ``taken``; None if the lake holds it."""
    supplied = row.known_at is not None
    new = _Version(row.known_at or moment.known, row.content_hash, row.updated, row.loaded_from, supplied, fresh=True)
    later: list[_Version] = []
    earlier: list[_Version] = []
    for version in timeline:
        (later if _follows(version, new, moment) else earlier).append(version)
    if _is_known(new, earlier, later, moment):
        return None
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
    """True if an existing version is newer than the new one."""
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
    """True if the row is no new version: it equals its predecessor, or the file's last reading held it."""
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

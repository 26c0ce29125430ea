"""Cell-by-cell comparison of a table that two engines built; a difference is described by its cell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars as pl
import polars.selectors as cs

_TOLERANCE = 1e-9
_AROUND = 60
_COPY, _THEIRS = "copy", " on Spark"


def differences(table: str, ours: pl.DataFrame, theirs: pl.DataFrame) -> Iterator[str]:
    """Differences between DuckDB's table (ours) and Spark's (theirs), a line per column.

    Equal are the same rows in any order, floats within 1e-9 × max(1, |x|), and JSON of the same content.
    """
    ours, theirs = _plain(ours), _plain(theirs)
    if set(ours.columns) != set(theirs.columns):
        yield f"{table}: columns {sorted(set(ours.columns) ^ set(theirs.columns))} are in one engine only"
        return
    theirs = theirs.select(ours.columns)
    kinds = [name for name in ours.columns if ours.schema[name] != theirs.schema[name]]
    if kinds:
        yield from (f"{table}.{name}: {ours.schema[name]} on DuckDB, {theirs.schema[name]} on Spark" for name in kinds)
        return
    key = _key(ours)
    ours, theirs = _numbered(ours, key), _numbered(theirs, key)
    for engine, rows, others in (("DuckDB", ours, theirs), ("Spark", theirs, ours)):
        alone = rows.join(others, on=[*key, _COPY], how="anti", nulls_equal=True)
        if alone.height:
            yield f"{table}: {alone.height} of {rows.height} rows are on {engine} only, first {_named(alone, key, 0)}"
    both = ours.join(theirs, on=[*key, _COPY], how="inner", nulls_equal=True, suffix=_THEIRS, maintain_order="left")
    for column in ours.columns:
        if column in {*key, _COPY}:
            continue
        places = _unequal(both[column], both[column + _THEIRS])
        if places:
            left, right = _excerpts(both[column][places[0]], both[column + _THEIRS][places[0]])
            yield (
                f"{table}.{column}: {len(places)} of {both.height} rows differ,"
                f" first {left} on DuckDB, {right} on Spark at {_named(both, key, places[0])}"
            )


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """The same values in one type for each kind: both engines' instants are UTC."""
    return frame.with_columns(
        cs.datetime().cast(pl.Datetime("us")).dt.replace_time_zone(None),
        cs.integer().cast(pl.Int64),
        (cs.float() | cs.decimal()).cast(pl.Float64),
    )


def _key(frame: pl.DataFrame) -> list[str]:
    """The leading columns that tell the rows apart, floats left out; if none do, all of them."""
    exact = [name for name, kind in frame.schema.items() if not kind.is_float()]
    for width in range(1, len(exact)):
        if frame.select(exact[:width]).is_unique().all():
            return exact[:width]
    return exact


def _numbered(frame: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Rows that the key does not tell apart, counted in the order of their values."""
    order = [*key, *(pl.col(name).round(6) for name in frame.select(cs.float()).columns)]
    return frame.sort(order, nulls_last=True).with_columns(pl.int_range(pl.len()).over(key).alias(_COPY))


def _named(frame: pl.DataFrame, key: list[str], place: int) -> str:
    return ", ".join(f"{name}={value}" for name, value in frame.select(key).row(place, named=True).items())


def _excerpts(one: object, other: object) -> tuple[str, str]:
    """Two values as they are; of long texts, what stands around the first character that differs."""
    if isinstance(one, str) and isinstance(other, str) and max(len(one), len(other)) > 2 * _AROUND:
        apart = (place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1])
        start = max(0, next(apart, min(len(one), len(other))) - _AROUND)
        one, other = (f"{'…' * (start > 0)}{text[start : start + 2 * _AROUND]}" for text in (one, other))
    return repr(one), repr(other)


def _unequal(ours: pl.Series, theirs: pl.Series) -> list[int]:
    """The places at which two columns differ."""
    apart = ours.ne_missing(theirs)
    if ours.dtype == pl.Float64:
        scale = pl.DataFrame([ours.abs().alias("one"), theirs.abs().alias("other")]).max_horizontal().clip(1.0)
        apart &= ~((ours - theirs).abs() <= _TOLERANCE * scale).fill_null(False)
    places = apart.arg_true().to_list()
    if ours.dtype == pl.String:
        return [place for place in places if not _same_json(ours[place], theirs[place])]
    return places


def _same_json(one: str | None, other: str | None) -> bool:
    if one is None or other is None or not (one.startswith(("[", "{")) and other.startswith(("[", "{"))):
        return False
    try:
        return _same(json.loads(one), json.loads(other))
    except ValueError:
        return False


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(*pair) for pair in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= _TOLERANCE * max(1.0, abs(one), abs(other))
    return type(one) is type(other) and bool(one == other)

"""Clock repair: lake rows that a run with its clock ahead made known in the future count as known now.

Such rows would be hidden from every decision until their ``known_at`` has come. They get instants just before the
present, in the same order, so versions of a row keep their order and a label keeps its text. The files as they were
stay under ``lake/_future/<instant>``. Landing marks get the same instants, as lost rows are recovered with them. A
repair that was interrupted is completed by the next one: it first notes the new instants, then moves the files away,
then appends the rows (idempotent), then mends the marks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from itertools import chain, count
from pathlib import Path

import polars as pl

from dagster_project import lake, lake_files
from dagster_project.clock import SKEW
from dagster_project.files import locked, relocate, write_atomically, write_json
from dagster_project.home import Home
from dagster_project.lake_tables import LAKE_TABLES

_STEP = timedelta(microseconds=1)
_OPEN, _DONE = "_repairing", "_future"
_PLAN = "plan.json"

_OF_THE_LEDGER = "sync_attempts"
"""Lake table that mirrors rows of the ledger by their day: moved to another day, they would be exported again."""


def repair_future(home: Home, now: datetime) -> list[str]:
    """Make rows known later than now known just before now; returns what was done, one line each.

    A replay home keeps what it has: its present is not this one.
    """
    if home.kind == "replay" or not home.lake.is_dir():
        return []
    done = []
    if _is_begun(home) or next(_ahead(home, now + SKEW), None) is not None:
        with locked(home.lake / "_future.lock"):
            if not _is_begun(home) and (files := sorted(_ahead(home, now + SKEW))):
                _plan(home, files, now)
            done = [_carry_out(home, now)] if _is_begun(home) else []
    _mend_marks(home, now)
    return done


def _is_begun(home: Home) -> bool:
    """True if a repair is noted that was not completed."""
    return (home.lake / _OPEN / _PLAN).exists()


def _ahead(home: Home, limit: datetime) -> Iterator[Path]:
    """Files that hold a row known after the limit, below the lake."""
    for table in LAKE_TABLES.keys() - {_OF_THE_LEDGER}:
        for folder in (home.lake / table).glob("ingest_date=*"):
            if _day(folder) < (limit - SKEW).date():
                continue
            for file in folder.glob("*.parquet"):
                if (known := _latest(file)) is not None and known > limit:
                    yield file.relative_to(home.lake)


def _latest(file: Path) -> datetime | None:
    try:
        latest: datetime | None = pl.scan_parquet(file).select(pl.max("known_at")).collect().item()
    except (pl.exceptions.PolarsError, OSError):  # damaged: whoever reads the table says so
        return None
    return latest


def _day(folder: Path) -> date:
    try:
        return date.fromisoformat(folder.name.removeprefix("ingest_date="))
    except ValueError:
        return date.min


def _plan(home: Home, files: list[Path], now: datetime) -> None:
    """Note each file and the new instant of each one in the future."""
    later = pl.col("known_at") > now + SKEW
    found: set[datetime] = set()
    for file in files:
        found |= set(pl.scan_parquet(home.lake / file).filter(later).select("known_at").collect().to_series())
    ordered = sorted(found)
    new = {then.isoformat(): (now - (len(ordered) - place) * _STEP).isoformat() for place, then in enumerate(ordered)}
    write_json(home.lake / _OPEN / _PLAN, {"files": [str(file) for file in files], "known_at": new})


def _carry_out(home: Home, now: datetime) -> str:
    work = home.lake / _OPEN
    plan = json.loads((work / _PLAN).read_text(encoding="utf-8"))
    kept = [Path(file) for file in plan["files"]]
    for file in kept:
        lake_files.retire(home, file.parts[0], home.lake / file, work / file)
    instants = {datetime.fromisoformat(then): datetime.fromisoformat(new) for then, new in plan["known_at"].items()}
    rows = 0
    for file in kept:
        frame = pl.read_parquet(work / file)
        rows += frame.filter(pl.col("known_at").is_in(list(instants))).height
        lake.append(home, file.parts[0], _restamped(frame, instants))
    for notes in _notes_of_rows(home):
        _restamp(notes, instants)
    done = _unused(home.lake / _DONE / f"{now:%Y%m%dT%H%M%SZ}")
    relocate(work, done)
    latest = max(instants)
    return (
        f"clock: {rows:,} rows in {len(kept)} files were known in the future (until {latest:%Y-%m-%d %H:%M} UTC), from"
        f" a run with its clock ahead; they count as known now. The files as they were: {done}"
    )


def _unused(folder: Path) -> Path:
    """The folder, or one beside it if it is there: two repairs at one instant keep both."""
    others = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    return next(name for name in chain([folder], others) if not name.exists())


def _restamped(rows: pl.DataFrame, instants: Mapping[datetime, datetime]) -> pl.DataFrame:
    """Rows with new instants in place of those in the future."""
    known = rows.schema["known_at"]
    return rows.with_columns(
        known_at=pl.col("known_at").replace_strict(
            list(instants), list(instants.values()), default=pl.col("known_at"), return_dtype=known
        )
    )


def _notes_of_rows(home: Home) -> Iterator[Path]:
    """The files beside the landing marks, which hold when each row of a source file became known."""
    yield from sorted((home.lake / "_landed").glob("*.parquet"))


def _restamp(notes: Path, instants: Mapping[datetime, datetime]) -> None:
    """Give the rows in a file beside a mark their new instants; a damaged one is for landing to heal."""
    try:
        rows = pl.read_parquet(notes, hive_partitioning=False)
        mended = _restamped(rows, instants)
    except (pl.exceptions.PolarsError, OSError, KeyError):
        return
    if not mended.equals(rows):
        write_atomically(notes, mended.write_parquet)


def _mend_marks(home: Home, now: datetime) -> None:
    """Bring the instants in landing's notes back to now: they order versions, and begin the partitions.

    A mark in the future may have rows that the lake had lost, whose instants no plan holds: they are known now.
    """
    for path in (home.lake / "_landed").glob("*.json"):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            mended = {name: _not_after(value, now) for name, value in content.items()}
        except (ValueError, AttributeError):
            continue  # landing says what a damaged note means
        if mended != content:
            _clamp(path.with_suffix(".parquet"), now)
            write_json(path, mended)


def _clamp(notes: Path, now: datetime) -> None:
    """Bring what is left in the future in a file beside a mark back to now."""
    with suppress(pl.exceptions.PolarsError, OSError):
        later = pl.scan_parquet(notes).filter(pl.col("known_at") > now + SKEW).select("known_at").collect().to_series()
        if not later.is_empty():
            _restamp(notes, dict.fromkeys(later, now))


def _not_after(value: object, now: datetime) -> object:
    try:
        instant = datetime.fromisoformat(str(value))
        return now.isoformat() if instant > now + SKEW else value
    except (ValueError, TypeError):
        return value

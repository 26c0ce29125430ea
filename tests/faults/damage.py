"""Ways in which a state file breaks, the parameters of tests over them, and a small home to break."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dagster_project import lake
from dagster_project.home import Home
from dagster_project.lake_tables import LAKE_TABLES
from dagster_project.state import StateFile

START = datetime(2026, 5, 1, tzinfo=UTC)
NOW = START + timedelta(days=4)
SAYINGS = ("It crashes when I open it", "the checkout fails every time", "love it", "parcel came three weeks late")


def remove(path: Path) -> None:
    """Remove a file or a folder."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def _hollow(value: Any) -> Any:
    """The same keys, with a list where each value was."""
    return {key: _hollow(inner) for key, inner in value.items()} if isinstance(value, dict) and value else [None]


def _wrong_inside(path: Path) -> None:
    try:
        path.write_text(json.dumps(_hollow(json.loads(path.read_text(encoding="utf-8")))))
    except ValueError:
        path.write_text('{"version": [1], "files": "none"}')


def _newer(path: Path) -> None:
    try:
        path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "version": 99, "added": [1]}))
    except ValueError:
        path.write_bytes(path.read_bytes()[:-4] + b"PAR9")


def _folder(path: Path) -> None:
    remove(path)
    path.mkdir()
    (path / "somebody's file").write_text("kept")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "a flipped byte": lambda path: flip(path, path.stat().st_size // 2),
    "another type": lambda path: path.write_text("[1, 2]"),
    "wrong inside": _wrong_inside,
    "of a newer version": _newer,
    "a folder": _folder,
    "missing": remove,
}


def cases(
    names: Sequence[str | StateFile], damages: Sequence[str] = tuple(DAMAGES), *, first: int = 0, short: int = 99
) -> pytest.MarkDecorator:
    """Every kind of file in every way of damage: all pairs in the long run.

    In the short run each of the first ``short`` kinds has one way, from the ``first`` one on: the tests together use
    each kind and each way.
    """
    kinds = [
        pytest.param(
            name,
            damage,
            marks=[] if row < short and column == (row + first) % len(damages) else [pytest.mark.soak],
            id=f"{name}-{damage}",
        )
        for row, name in enumerate(names)
        for column, damage in enumerate(damages)
    ]
    return pytest.mark.parametrize(("kind", "damage"), kinds)


def damages(*names: str, short: Sequence[str]) -> pytest.MarkDecorator:
    """Ways of damage, of which only some are in the short run."""
    ways = [pytest.param(name, marks=[] if name in short else [pytest.mark.soak]) for name in names]
    return pytest.mark.parametrize("damage", ways)


def flip(path: Path, place: int) -> None:
    """Invert one byte of a file."""
    content = bytearray(path.read_bytes())
    if content:
        content[place % len(content)] ^= 0xFF
    path.write_bytes(bytes(content))


def write_sources(folder: Path) -> Path:
    """Four days of feedback in two files, of which one corrects the other, and a release; returns ``sources.yml``."""
    folder.mkdir(parents=True, exist_ok=True)
    header = "feedback_id,channel,product,occurred_at,text,customer_id\n"
    lines = [
        f"f{number},app_review,app,{START + timedelta(hours=number * 2):%Y-%m-%dT%H:%M:%SZ},"
        f"{SAYINGS[number % 4]} {number},c{number}\n"
        for number in range(40)
    ]
    (folder / "a.csv").write_text(header + "".join(lines[:30]) + "broken,app_review,app,yesterday,?,c\n")
    (folder / "b.csv").write_text(header + "".join(lines[25:]).replace("love it 26", "hate it 26"))
    (folder / "releases.csv").write_text(
        "release_id,product,version,environment,deployed_at\napp@2,app,2.0,production,2026-05-03T00:00:00Z\n"
    )
    (folder / "sources.yml").write_text(
        "version: 1\nsources:\n"
        "  - {name: shop, table: feedback, path: '[ab].csv', silent_after: never,"
        " known_at: {column: occurred_at, delay: 1h}}\n"
        "  - {name: releases, table: releases, path: releases.csv, silent_after: never}\n"
    )
    return folder / "sources.yml"


def rows(home: Home) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the lake that sources or labelling brought, by table."""
    found = {}
    for name, table in LAKE_TABLES.items():
        if table.writer in ("ingestion", "enrichment") and (home.lake / name).is_dir():
            kept = [column for column in table.columns if column not in ("labeled_at", "signature", "duplicate_of")]
            found[name] = sorted(lake.scan(home, name).select(kept).collect().rows(), key=repr)
    return found


def tables(home: Home, marts: tuple[str, ...]) -> dict[str, pl.DataFrame]:
    """The published marts, ordered."""
    from dagster_project.decisioning.published import read_mart

    found = {mart: read_mart(home, mart) for mart in marts}
    return {mart: frame.sort(frame.columns, nulls_last=True) for mart, frame in found.items()}


def copy(home: Home, target: Path) -> Home:
    """A copy of a home that may be broken; the models stay a link."""
    return Home(Path(shutil.copytree(home.root, target, symlinks=True)))

"""Files that would harm a run, beside a healthy source: the healthy rows land, the hostile one is named with a remedy.

Each case runs in a process of its own with a ceiling on its memory, and in bounded time. The limits are small, so that
small inputs reach them; the defaults are in ``docs/sources.md``.
"""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow
import pytest
from pyarrow import parquet

from tests.ingestion.exports import HEADER, row

MIB = 1024**2
LIMITS: dict[str, Any] = {
    "file_bytes": "48 MiB",
    "inflated_bytes": "32 MiB",
    "document_bytes": "4 MiB",
    "line_bytes": "1 MiB",
    "rows": 50_000,
    "rejects": 2_000,
    "columns": 200,
    "file_seconds": 20,
    "files": 50,
}
HEALTHY = HEADER + row(1)


def fifo(folder: Path) -> None:
    os.mkfifo(folder / "x.csv")


def unix_socket(folder: Path) -> None:
    here = Path.cwd()
    os.chdir(folder)  # the name of a socket is at most a hundred characters long
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("x.csv")
    os.chdir(here)


def device(folder: Path) -> None:
    (folder / "x.csv").symlink_to("/dev/zero")


def link_loop(folder: Path) -> None:
    (folder / "x.csv").symlink_to(folder / "x.csv")


def link_outside(folder: Path) -> None:
    (folder / "x.csv").symlink_to("/etc/passwd")


def named_like_a_file(folder: Path) -> None:
    (folder / "x.csv").mkdir()


def many_files(folder: Path) -> None:
    for number in range(60):
        (folder / f"x{number}.csv").touch()


def gzip_bomb(folder: Path) -> None:
    with gzip.open(folder / "x.csv.gz", "wb", 1) as packed:
        packed.write(HEADER.encode())
        for _ in range(100):
            packed.write(b"a" * MIB)


def bomb_of_lines(folder: Path) -> None:
    with gzip.open(folder / "x.csv.gz", "wb", 1) as packed:
        packed.write(HEADER.encode())
        for _ in range(100):
            packed.write(row(2).encode() * 10_000)


def sparse_giant(folder: Path) -> None:
    with (folder / "x.csv").open("wb") as file:
        file.truncate(50 * 1024 * MIB)


def long_line(folder: Path) -> None:
    (folder / "x.csv").write_bytes(HEADER.encode() + b"f9,shop," + b"a" * (40 * MIB) + b"\n")


def long_header(folder: Path) -> None:
    (folder / "x.csv").write_bytes(b"a" * (40 * MIB))


def million_columns(folder: Path) -> None:
    (folder / "x.csv").write_text(",".join(f"c{number}" for number in range(100_000)) + "\n")


def million_keys(folder: Path) -> None:
    (folder / "x.jsonl").write_text(json.dumps({f"c{number}": 1 for number in range(50_000)}) + "\n")


def open_quote(folder: Path) -> None:
    (folder / "x.csv").write_text(HEADER + row(2).replace("it broke", '"it broke') + "a,b,c\n" * 1_000_000)


def quotes_everywhere(folder: Path) -> None:
    (folder / "x.csv").write_text(HEADER + 'x","y\n' * 300_000)


def deep_document(folder: Path) -> None:
    (folder / "x.json").write_text("[" * 500_000 + "]" * 500_000)


def deep_value(folder: Path) -> None:
    (folder / "x.jsonl").write_text('{"mood":' + "[" * 400 + "]" * 400 + "}\n")


def huge_document(folder: Path) -> None:
    (folder / "x.json").write_text("[" + "{}," * (3 * MIB) + "{}]")


def long_numbers(folder: Path) -> None:
    (folder / "x.json").write_text('[{"rating":' + "9" * 1_000_000 + "}]")


def infinite_numbers(folder: Path) -> None:
    said = '"channel":"chat","product":"app","occurred_at":"2026-04-01","text":"x","mood":NaN'
    (folder / "x.jsonl").write_text('{"feedback_id":"f9","rating":1e999999,' + said + "}\n")


def parquet_of_a_billion_rows(folder: Path) -> None:
    pl.select(text=pl.repeat("again", 3_000_000)).write_parquet(folder / "x.parquet")


def parquet_that_expands(folder: Path) -> None:
    texts = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 40_000, pyarrow.int32()), ["long " * 200_000])
    parquet.write_table(pyarrow.table({"text": texts}), folder / "x.parquet")


def parquet_of_columns(folder: Path) -> None:
    pl.DataFrame({f"c{number}": [1] for number in range(1_000)}).write_parquet(folder / "x.parquet")


def no_parquet(folder: Path) -> None:
    (folder / "x.parquet").write_bytes(b"PAR1" + b"\xff" * 1000 + b"PAR1")


def nothing_but_garbage(folder: Path) -> None:
    (folder / "x.jsonl").write_text("no JSON\n" * 100_000)


def utf_16_without_line_ends(folder: Path) -> None:
    (folder / "x.csv").write_bytes(("a" * (16 * MIB)).encode("utf-16"))


def a_name_of_control_codes(folder: Path) -> None:
    (folder / "x\n\x1b[31m.csv").write_text("")


def a_name_that_is_not_utf_8(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/x\xff.csv")).write_text("")


HOSTILE: list[tuple[Callable[[Path], None], str]] = [
    (fifo, "x.csv is a FIFO where a file is expected"),
    (unix_socket, "x.csv is a socket where a file is expected"),
    (device, "x.csv is a device where a file is expected"),
    (link_loop, "cannot be read (Too many levels of symbolic links)"),
    (link_outside, "x.csv is a link that leads out of"),
    (named_like_a_file, "x.csv is a folder where a file is expected"),
    (many_files, "names too many files (limit `limits.files`: 50)"),
    (gzip_bomb, "x.csv.gz: decompresses to too much"),
    (bomb_of_lines, "has too many rows (limit `limits.rows`: 50,000)"),
    (sparse_giant, "x.csv is too large (53,687,091,200 bytes) (limit `limits.file_bytes`: 48.0MiB)"),
    (long_line, "line 2: the line is longer than `limits.line_bytes` (1.0MiB)"),
    (long_header, "the line is longer than `limits.line_bytes`"),
    (million_columns, "has 100,000 columns (limit `limits.columns`: 200)"),
    (million_keys, "it has 50,000 columns (`limits.columns`: 200)"),
    (open_quote, "too many of its records cannot be read"),
    (quotes_everywhere, "has quotes out of place from line"),
    (deep_document, "nested too deeply"),
    (deep_value, "it is nested too deeply (`limits.depth`: 64)"),
    (huge_document, "is one JSON document and too large"),
    (long_numbers, "is JSON that cannot be read"),
    (infinite_numbers, "rating 'inf' is not a number"),
    (parquet_of_a_billion_rows, "has 3,000,000 rows (limit `limits.rows`: 50,000)"),
    (parquet_that_expands, "holds too much (limit `limits.inflated_bytes`: 32.0MiB)"),
    (parquet_of_columns, "has 1,000 columns"),
    (no_parquet, "x.parquet: is not Parquet"),
    (nothing_but_garbage, "too many of its records cannot be read (limit `limits.rejects`: 2,000)"),
    (utf_16_without_line_ends, "the line is longer than `limits.line_bytes`"),
    (a_name_of_control_codes, "is empty; nothing was read from it"),
    (a_name_that_is_not_utf_8, "is empty; nothing was read from it"),
]

MEMORY = 1024 * MIB
"""Stated bound of a landing with these limits; an interpreter with polars and pyarrow takes 170 MiB of it."""
SECONDS = 90

_LAND = """
import json, resource, sys
from pathlib import Path
from dagster_project.home import Home
from dagster_project.ingestion.landing import land
from dagster_project.ingestion.sources import load_sources
from tests.ingestion.exports import NOW
folder = Path(sys.argv[1])
first, again = (land(Home(folder / "home"), load_sources(folder / "sources.yml"), now=NOW) for _ in range(2))
print(json.dumps({
    "problems": first.problems, "again": again.problems, "failures": first.failures,
    "landed": {line.source: line.landed for line in first.lines},
    "states": {line.source: line.state for line in first.lines},
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
}))
"""


@pytest.fixture(scope="module")
def came(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Report on all hostile sources with a healthy one in their midst, landed twice by a process of its own."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "good.csv").write_text(HEADER + row(1))
    sources: list[dict[str, Any]] = []
    for make, _ in HOSTILE:
        place = folder / make.__name__
        place.mkdir()
        make(place)
        sources.append({"name": make.__name__, "table": "feedback", "path": f"{make.__name__}/*"})
    sources.insert(len(sources) // 2, {"name": "healthy", "table": "feedback", "path": "good.csv"})
    (folder / "sources.yml").write_text(json.dumps({"limits": LIMITS, "sources": sources}))
    started = time.monotonic()
    command = [sys.executable, "-c", _LAND, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=4 * SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = {**json.loads(done.stdout), "seconds": time.monotonic() - started}
    print("\n".join(said["problems"]))
    return said


def test_hostile_files_harm_nothing_beside_them(came: dict[str, Any]) -> None:
    print(f"{came['seconds']:.1f} s, {came['peak'] / MIB:.0f} MiB")
    assert (came["landed"]["healthy"], came["states"]["healthy"]) == (1, "read")
    assert not any(problem.startswith("healthy") for problem in came["problems"])
    assert all(problem.isprintable() for problem in came["problems"])
    assert came["peak"] < MEMORY
    assert came["seconds"] < SECONDS


@pytest.mark.parametrize(("make", "said"), HOSTILE, ids=[make.__name__ for make, _ in HOSTILE])
def test_a_hostile_file_is_named_with_what_came(came: dict[str, Any], make: Callable[[Path], None], said: str) -> None:
    mine = [problem for problem in came["problems"] if problem.startswith(f"{make.__name__}: ")]
    assert any(said in problem for problem in mine), mine
    assert came["landed"][make.__name__] in (0, 1, 50_000)
    if came["states"][make.__name__] != "read":
        assert any(failure.startswith(f"{make.__name__}: ") for failure in came["failures"])
        assert any(again.startswith(f"{make.__name__}: ") for again in came["again"]), "it stays a problem"

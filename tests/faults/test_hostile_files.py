"""Files that would harm a run, beside a healthy source: the healthy rows land, the hostile one is named with a remedy.

One process of its own lands them all, in bounded time and memory. The limits are small, so that small inputs reach
them; the defaults are in ``docs/sources.md``.
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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from dagster_project.errors import SourceError
from dagster_project.home import Home
from dagster_project.ingestion.readers import FILE_READERS
from dagster_project.ingestion.records import Record, Reject, Tally
from dagster_project.ingestion.sources import SourceConfig
from tests.ingestion.exports import HEADER, balanced, held, row, run, source

MIB = 1024**2
LIMITS: dict[str, Any] = {
    "file_bytes": "48 MiB",
    "inflated_bytes": "32 MiB",
    "document_bytes": "4 MiB",
    "line_bytes": "1 MiB",
    "rows": 5_000,
    "rejects": 2_000,
    "columns": 200,
    "file_seconds": 20,
    "files": 50,
}


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
    (folder / "x.csv").write_text(HEADER + row(2).replace("it broke", '"it broke') + "a,b,c\n" * 200_000)


def quotes_everywhere(folder: Path) -> None:
    (folder / "x.csv").write_text(HEADER + 'x","y\n' * 200_000)


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
    texts = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 4_000, pyarrow.int32()), ["long " * 200_000])
    parquet.write_table(pyarrow.table({"text": texts}), folder / "x.parquet")


def parquet_of_columns(folder: Path) -> None:
    pl.DataFrame({f"c{number}": [1] for number in range(1_000)}).write_parquet(folder / "x.parquet")


def no_parquet(folder: Path) -> None:
    (folder / "x.parquet").write_bytes(b"PAR1" + b"\xff" * 1000 + b"PAR1")


def nothing_but_garbage(folder: Path) -> None:
    (folder / "x.jsonl").write_text("no JSON\n" * 10_000)


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
    (bomb_of_lines, "has too many rows (limit `limits.rows`: 5,000)"),
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
    (parquet_of_a_billion_rows, "has 3,000,000 rows (limit `limits.rows`: 5,000)"),
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
import json, sys
from pathlib import Path
from dagster_project.home import Home
from dagster_project.ingestion.landing import land
from dagster_project.ingestion.sources import load_sources
from tests.faults.memory import peak_of_this_process
from tests.ingestion.exports import NOW
folder = Path(sys.argv[1])
first, again = (land(Home(folder / "home"), load_sources(folder / "sources.yml"), now=NOW) for _ in range(2))
print(json.dumps({
    "problems": first.problems, "again": again.problems, "failures": first.failures,
    "landed": {line.source: line.landed for line in first.lines},
    "states": {line.source: line.state for line in first.lines},
    "peak": peak_of_this_process(),
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
    assert came["landed"][make.__name__] in (0, 1)
    if came["states"][make.__name__] != "read":
        assert any(failure.startswith(f"{make.__name__}: ") for failure in came["failures"])
        assert any(again.startswith(f"{make.__name__}: ") for again in came["again"]), "it stays a problem"


def test_a_file_becomes_a_fifo_between_listing_and_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "a.csv")
    monkeypatch.setattr("dagster_project.ingestion.discovery._kind", lambda _: "file")
    line, report = run(Home(tmp_path / "home"), source("a.csv", tmp_path))
    assert (line.landed, line.state) == (0, "unreadable")
    assert "cannot be read (it is no regular file)" in report.problems[0]


def test_more_versions_of_one_row_than_allowed_are_quarantined_and_the_latest_stay(tmp_path: Path) -> None:
    rows = [row(1, f"text {number}", mood=f"2026-04-01T00:{number:02d}:00Z") for number in range(20)]
    (tmp_path / "a.csv").write_text(HEADER.replace("mood", "updated_at") + "".join(rows))
    home = Home(tmp_path / "home")
    line, report = run(home, source("a.csv", tmp_path, limits={"versions": 5}))
    assert (line.landed, line.changed, line.quarantined) == (1, 4, 15)
    assert balanced(line)
    assert held(home).sort("known_at")["text"].to_list() == [f"text {number}" for number in range(15, 20)]
    assert "more than 5 versions of feedback_id 'f1'" in report.problems[0]


def test_ten_thousand_dated_versions_of_one_row_land_in_seconds(tmp_path: Path) -> None:
    rows = [row(1, f"{n}", mood=f"2026-04-01T{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}Z") for n in range(10_000)]
    (tmp_path / "a.csv").write_text(HEADER.replace("mood", "known_at") + "".join(rows))
    started = time.monotonic()
    line, _ = run(Home(tmp_path / "home"), source("a.csv", tmp_path))
    assert (line.landed, line.changed) == (1, 9_999)
    assert time.monotonic() - started < 20


def test_numbers_beyond_64_bits_and_infinities_are_stored_as_standard_json(tmp_path: Path) -> None:
    said = {"feedback_id": "f1", "channel": "chat", "product": "app", "occurred_at": "2026-04-01", "text": "x"}
    odd = '"a":1e999,"b":NaN,"c":' + "9" * 400 + ',"d":{"e":[-Infinity]},"rating":1e300}'
    (tmp_path / "a.jsonl").write_text(json.dumps(said | {"n": 1})[:-1] + "}\n" + json.dumps(said)[:-1] + "," + odd)
    (tmp_path / "b.jsonl").write_text((json.dumps(said)[:-1] + "," + odd).replace(',"rating":1e300', ""))
    home = Home(tmp_path / "home")
    run(home, source("*.jsonl", tmp_path))
    kept = held(home)["attributes"].to_list()
    parsed = [json.loads(one, parse_constant=pytest.fail) for one in kept]
    assert {"a": "inf", "b": "nan", "c": "9" * 400, "d": {"e": ["-inf"]}} in parsed


CONTENTS = st.one_of(
    st.binary(max_size=300),
    st.text(alphabet='",\n\r;\t{}[]:x1\x00é', max_size=200).map(lambda text: text.encode("utf-8")),
    st.binary(max_size=100).map(lambda content: gzip.compress(content, mtime=0)),
    st.binary(max_size=100).map(lambda content: b"PAR1" + content + b"PAR1"),
    st.recursive(st.none() | st.floats() | st.text(max_size=5) | st.integers(), st.lists, max_leaves=10).map(
        lambda value: json.dumps(value).encode()
    ),
    st.lists(st.dictionaries(st.sampled_from(["id", "via", "tickets", "feed", "entry", "text"]), st.integers())).map(
        lambda value: json.dumps({"tickets": value, "feed": {"entry": value}, "data": value}).encode()
    ),
)
READERS = [
    ("generic", kind) for kind in ("csv", "jsonl", "json", "parquet", "csv.gz", "json.gz", "parquet.gz", "txt")
] + [("google_play", "csv"), ("nps", "csv"), ("app_store", "json"), ("zendesk", "json"), ("zendesk", "jsonl")]
READERS += [("prometheus", "json"), ("github", "json")]


@pytest.mark.parametrize(("reader", "kind"), READERS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=CONTENTS)
def test_no_bytes_make_a_reader_raise_anything_but_its_problem(
    tmp_path: Path, reader: str, kind: str, content: bytes
) -> None:
    (tmp_path / f"x.{kind}").write_bytes(content)
    settings_of_it = {"name": "any", "reader": reader, "table": "feedback", "path": f"x.{kind}", "base": tmp_path}
    tested = SourceConfig.model_validate(settings_of_it)
    try:
        for item in FILE_READERS[reader](tmp_path / f"x.{kind}", tested, Tally()):
            assert isinstance(item, Record | Reject)
    except SourceError as error:
        assert str(error)

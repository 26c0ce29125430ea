"""Isolation of sources: whatever a reader, a rule or a path raises is a problem of its file or source alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagster_project.home import Home
from dagster_project.ingestion import reading
from dagster_project.ingestion.landing import land
from dagster_project.ingestion.readers import FILE_READERS
from dagster_project.ingestion.records import Record
from dagster_project.ingestion.sources import SourceConfig, fingerprint
from dagster_project.ingestion.validation import validate
from tests.ingestion.exports import HEADER, NOW, balanced, held, row, run, source

FAULTS = [
    TypeError("'NoneType' object is not iterable"),
    RecursionError("maximum recursion depth exceeded"),
    MemoryError(),
    OSError(5, "Input/output error"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    ZeroDivisionError("a\nb\x1b[31m"),
    AssertionError(),
]


def failing(error: BaseException) -> Callable[..., Any]:
    def read(path: Path, *_: Any) -> Any:
        if path.name == "b.csv":
            yield Record(
                {"feedback_id": "f7", "channel": "chat", "product": "app"} | {"text": "x", "occurred_at": 1}, 1
            )
            raise error
        yield Record(
            {"feedback_id": path.name, "channel": "chat", "product": "app", "text": "x", "occurred_at": "2026-04-01"}, 1
        )

    return read


@pytest.mark.parametrize("error", FAULTS, ids=[type(error).__name__ for error in FAULTS])
def test_whatever_a_reader_raises_costs_one_file_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    home = Home(tmp_path / "home")
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.csv").write_text(HEADER + row(1))
    (tmp_path / "d.csv").write_text(HEADER + row(2))
    sources = [source("[abc].csv", tmp_path), SourceConfig(name="last", table="feedback", path="d.csv", base=tmp_path)]
    with monkeypatch.context() as patch:
        patch.setitem(FILE_READERS, "generic", failing(error))
        report = land(home, sources, now=NOW)
    first, last = report.lines
    assert (first.landed, first.state, last.landed) == (2, "damaged", 1)
    [failure] = report.failures
    assert failure.startswith("exports: b.csv: ")
    assert failure.isprintable()
    assert type(error).__name__ in failure or "more memory" in failure
    assert any(problem.startswith("exports: b.csv") for problem in report.problems)
    again = land(home, sources, now=NOW)
    assert (again.lines[0].files, again.lines[0].files_unchanged, again.failures) == (1, 2, [])


def test_an_interruption_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b.csv").write_text(HEADER)
    monkeypatch.setitem(FILE_READERS, "generic", failing(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        run(Home(tmp_path / "home"), source("b.csv", tmp_path))


def test_a_rule_that_raises_on_one_row_costs_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(records: Any, *rest: Any) -> Any:
        if any(record.values["feedback_id"] == "f7" for record in records):
            raise ArithmeticError("a rule broke")
        return validate(records, *rest)

    monkeypatch.setattr(reading, "validate", odd)
    (tmp_path / "a.csv").write_text(HEADER + "".join(row(number) for number in range(20)))
    home = Home(tmp_path / "home")
    line, report = run(home, source("a.csv", tmp_path))
    assert (line.landed, line.quarantined, line.state) == (19, 1, "read")
    assert balanced(line)
    assert held(home, "quarantine")["line"].to_list() == [9]
    assert "the row cannot be validated: reading it failed (ArithmeticError: a rule broke)" in report.problems[0]


def test_a_rule_that_raises_on_every_row_gives_the_file_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ArithmeticError("a rule broke")

    monkeypatch.setattr(reading, "validate", broken)
    (tmp_path / "a.csv").write_text(HEADER + "".join(row(number) for number in range(500)))
    line, report = run(Home(tmp_path / "home"), source("a.csv", tmp_path))
    assert line.state == "damaged"
    assert "reading it failed (ArithmeticError: a rule broke)" in report.failures[0]


@pytest.mark.parametrize("path", ["exports/*.csv", "exports"])
def test_a_folder_that_must_not_be_read_is_a_problem_of_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    (tmp_path / "exports").mkdir()
    (tmp_path / "good.csv").write_text(HEADER + row(1))

    def forbidden(*_: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", forbidden)
    monkeypatch.setattr("dagster_project.ingestion.discovery.os.access", lambda *_: False)
    tested = [source(path, tmp_path), SourceConfig(name="last", table="feedback", path="good.csv", base=tmp_path)]
    report = land(Home(tmp_path / "home"), tested, now=NOW)
    assert f"exports: `path` {path!r} cannot be listed (Permission denied)" in report.problems[0]
    assert report.lines[1].landed == 1
    assert fingerprint(tested)


@pytest.mark.parametrize("path", ["a\x00b/*.csv", "x" * 5000, "~nobody-of-that-name/x.csv", "[", "**/[!"])
def test_a_path_that_no_system_takes_is_a_problem_of_its_source(tmp_path: Path, path: str) -> None:
    (tmp_path / "good.csv").write_text(HEADER + row(1))
    tested = [source(path, tmp_path), SourceConfig(name="last", table="feedback", path="good.csv", base=tmp_path)]
    report = land(Home(tmp_path / "home"), tested, now=NOW)
    assert report.problems[0].startswith("exports: ")
    assert report.lines[1].landed == 1

"""Discovery and decoding of files: folders among them, byte-order marks, line ends, configured values."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from dagster_project.home import Home
from dagster_project.ingestion.landing import land
from dagster_project.ingestion.sources import fingerprint
from tests.ingestion.exports import HEADER, NOW, balanced, held, row, run, source


def test_a_folder_that_the_pattern_matches_is_reported_and_the_files_beside_it_are_read(
    home: Home, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1))
    (tmp_path / "b.csv").mkdir()
    (tmp_path / "b.csv" / "inner.csv").write_text(HEADER + row(9))
    (tmp_path / "c.csv").write_text(HEADER + row(2))
    line, report = run(home, source("*.csv", tmp_path))
    assert (line.files, line.landed) == (2, 2)
    [problem] = report.problems
    assert f"{tmp_path / 'b.csv'} is a folder where a file is expected" in problem
    assert "`path`" in problem
    assert "\n" not in problem


def test_a_folder_inside_the_folder_that_path_names_is_reported(home: Home, tmp_path: Path) -> None:
    (tmp_path / "exports" / "2025").mkdir(parents=True)
    (tmp_path / "exports" / "a.csv").write_text(HEADER + row(1))
    line, report = run(home, source("exports", tmp_path))
    assert line.landed == 1
    assert [problem for problem in report.problems if "2025 is a folder" in problem] == report.problems != []


def test_folders_that_a_pattern_reads_into_are_not_reported(home: Home, tmp_path: Path) -> None:
    (tmp_path / "exports" / "2025").mkdir(parents=True)
    (tmp_path / "exports" / "2025" / "a.csv").write_text(HEADER + row(1))
    line, report = run(home, source("exports/**/*", tmp_path))
    assert (line.landed, report.problems) == (1, [])


def test_files_of_one_name_in_several_folders_are_told_apart(home: Home, tmp_path: Path) -> None:
    for year in ("2025", "2026"):
        (tmp_path / "exports" / year).mkdir(parents=True)
        (tmp_path / "exports" / year / "a.csv").write_text(HEADER + row(1, f"said in {year}") + row(2, rating="9"))
    line, report = run(home, source("exports/*/a.csv", tmp_path))
    assert (line.landed, line.changed, line.quarantined) == (1, 1, 2)
    assert sorted(held(home, "quarantine")["file"]) == ["2025/a.csv", "2026/a.csv"]
    assert sorted(held(home)["loaded_from"]) == ["exports:2025/a.csv", "exports:2026/a.csv"]
    (tmp_path / "exports" / "2025" / "a.csv").write_text("")
    _, again = run(home, source("exports/*/a.csv", tmp_path))
    assert again.problems == ["exports: 2025/a.csv: is empty; nothing was read from it; see the quarantine table"]
    assert ["2025/a.csv line 3" in report.problems[0], "2026/a.csv line 3" in report.problems[1]] == [True, True]


def test_the_fingerprint_sees_the_files_beside_a_folder(tmp_path: Path) -> None:
    (tmp_path / "b.csv").mkdir()
    (tmp_path / "a.csv").write_text(HEADER)
    before = fingerprint([source("*.csv", tmp_path)])
    (tmp_path / "a.csv").write_text(HEADER + row(1))
    assert fingerprint([source("*.csv", tmp_path)]) != before


def test_a_file_that_cannot_be_opened_is_reported_and_the_others_are_read(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").symlink_to(tmp_path / "nowhere.csv")
    (tmp_path / "b.csv").write_text(HEADER + row(1))
    report = land(home, [source("*.csv", tmp_path)], now=NOW)
    assert report.lines[0].landed == 1
    [problem] = report.problems
    assert f"{tmp_path / 'a.csv'} cannot be read (No such file or directory)" in problem
    assert fingerprint([source("*.csv", tmp_path)])


MARKED = [("utf-8", "utf-8-sig"), ("UTF8", "utf-8-sig"), ("utf-16-le", "utf-16"), ("utf-16-be", "utf-16")]
MARKED += [("latin-1", "utf-8-sig"), ("utf-32-le", "utf-32"), ("", "utf-32"), ("", "utf-8-sig"), ("", "utf-16")]


@pytest.mark.parametrize(("configured", "written"), MARKED)
@pytest.mark.parametrize("packed", [False, True])
def test_a_byte_order_mark_never_becomes_part_of_the_first_name(
    home: Home, tmp_path: Path, configured: str, written: str, packed: bool
) -> None:
    content = (HEADER + row(1, "schön")).encode(written)
    (tmp_path / "a.csv").write_bytes(gzip.compress(content) if packed else content)
    line, report = run(home, source("a.csv", tmp_path, encoding=configured))
    assert (line.landed, report.problems) == (1, [])
    assert held(home)["text"].to_list() == ["schön"]


def test_an_encoding_without_a_mark_is_taken_as_configured(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes((HEADER + row(1, "schön")).encode("utf-16-le"))
    line, _ = run(home, source("a.csv", tmp_path, encoding="utf-16-le"))
    assert (line.landed, held(home)["text"].to_list()) == (1, ["schön"])


def test_a_json_document_with_a_mark_is_read_under_a_configured_encoding(home: Home, tmp_path: Path) -> None:
    text = '[{"feedback_id":"f1","channel":"chat","product":"app","occurred_at":"2026-04-01","text":"schön"}]'
    (tmp_path / "a.json").write_bytes(text.encode("utf-8-sig"))
    line, report = run(home, source("a.json", tmp_path, encoding="utf-8"))
    assert (line.landed, report.problems) == (1, [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\r", "\r\n", "\n", "\r\r\n"])
def test_every_kind_of_line_end_is_read(home: Home, tmp_path: Path, encoding: str, end: str) -> None:
    rows = HEADER + row(1, "schön") + row(2, "two\nlines") + row(3, rating="9")
    (tmp_path / "a.csv").write_bytes(rows.replace("\n", end).encode(encoding))
    line, _ = run(home, source("a.csv", tmp_path))
    assert (line.read, line.landed, line.quarantined) == (3, 2, 1)
    texts = held(home).sort("feedback_id")["text"].to_list()
    assert [text.split() for text in texts] == [["schön"], ["two", "lines"]]
    if end != "\r\r\n":
        assert held(home, "quarantine")["line"].to_list() == [5]


def test_carriage_returns_inside_the_texts_of_an_ordinary_file_stay(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes((HEADER + row(1).replace("it broke", '"one\rtwo"') + row(2)).encode())
    line, _ = run(home, source("a.csv", tmp_path))
    assert (line.landed, held(home).sort("feedback_id")["text"].to_list()) == (2, ["one\rtwo", "it broke"])


def test_a_large_file_with_carriage_returns_only_lands_in_full(home: Home, tmp_path: Path) -> None:
    rows = HEADER + "".join(row(number, "x" * (number % 90) + "y") for number in range(3000)) + row(1, "", rating="9")
    content = rows.replace("\n", "\r").encode().removesuffix(b"\r")
    (tmp_path / "a.csv").write_bytes(content[:-3] + b"\xff" + content[-3:])
    line, _ = run(home, source("a.csv", tmp_path))
    assert (line.read, line.landed, line.quarantined) == (3001, 3000, 1)
    assert held(home, "quarantine")["line"].to_list() == [3002]
    assert balanced(line)


def test_json_lines_with_carriage_returns_only_land(home: Home, tmp_path: Path) -> None:
    entry = '{"feedback_id":"f%d","channel":"chat","product":"app","occurred_at":"2026-04-01","text":"x"}\r'
    (tmp_path / "a.jsonl").write_text("".join(entry % number for number in range(3)), newline="")
    line, report = run(home, source("a.jsonl", tmp_path))
    assert (line.landed, report.problems) == (3, [])


def test_a_constant_that_replaces_what_the_file_says_is_reported_and_the_file_s_value_is_kept(
    home: Home, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(
        HEADER + row(1) + row(2, product="other") + row(3, product="") + row(4, product="x")
    )
    line, report = run(home, source("a.csv", tmp_path, constants={"product": "app", "rating": 2}))
    assert (line.landed, set(held(home)["product"])) == (4, {"app"})
    [problem] = report.problems
    assert "a.csv: constants.product replaced the file's own product in 2 rows (first 'other', line 3)" in problem
    assert "attributes" in problem and "take the constant out" in problem
    kept = [json.loads(text).get("product") for text in held(home).sort("feedback_id")["attributes"]]
    assert kept == [None, "other", None, "x"]


def test_a_rename_onto_a_column_that_the_file_has_keeps_both_and_says_so(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER.replace("mood", "body") + row(1, "short", mood="long text"))
    _, report = run(home, source("a.csv", tmp_path, renames={"body": "text"}))
    assert held(home)["text"].to_list() == ["long text"]
    assert json.loads(held(home)["attributes"].item()) == {"text": "short"}
    [problem] = report.problems
    assert "a.csv: renames.body replaced the file's own text in 1 row (first 'short', line 2)" in problem


def test_two_names_of_one_column_over_the_years_may_both_be_renamed(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER.replace("mood", "stars").replace(",rating", ",score") + row(1, mood="4"))
    (tmp_path / "b.csv").write_text(HEADER.replace("mood", "x").replace(",rating", ",score") + row(2, rating="3"))
    _, report = run(home, source("*.csv", tmp_path, renames={"stars": "rating", "score": "rating"}))
    by_id = held(home).sort("feedback_id")
    assert by_id["rating"].to_list() == [4.0, 3.0]
    assert json.loads(by_id["attributes"][0]) == {"score": "2"}
    assert ["renames.score was not used in 1 row (first '2', line 2)" in problem for problem in report.problems] == [
        True
    ]


def test_an_id_that_the_settings_derive_leaves_the_file_s_own_id_in_attributes(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1))
    _, report = run(home, source("a.csv", tmp_path, id_from=["text", "occurred_at"]))
    assert held(home)["feedback_id"].item().startswith("exports-")
    assert json.loads(held(home)["attributes"].item()) == {"feedback_id": "f1", "mood": "sour"}
    assert report.problems == []

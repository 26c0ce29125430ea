"""Landing of good, repeated, changed and damaged exports: what a user sees, and that nothing is lost on the way."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.errors import ConfigurationError
from dagster_project.home import Home
from dagster_project.ingestion.contracts import TABLES, own_columns, required_columns
from dagster_project.ingestion.landing import land
from dagster_project.ingestion.sources import SourceConfig, fingerprint, load_sources
from dagster_project.lake_tables import INSTANT
from tests.ingestion.exports import HEADER, NOW, balanced, held, row, run, source


def test_unknown_columns_become_attributes_and_empty_ones_stay_null(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1))
    run(home, source("a.csv", tmp_path))
    landed = held(home).row(0, named=True)
    assert json.loads(landed["attributes"]) == {"mood": "sour"}
    assert (landed["rating"], landed["country"], landed["known_at"]) == (2.0, None, NOW)


def test_a_line_break_inside_quotes_does_not_shift_line_numbers(home: Home, tmp_path: Path) -> None:
    text = HEADER + row(1, "first\nsecond\nthird") + row(2, occurred_at="yesterday")
    (tmp_path / "a.csv").write_text(text)
    line, _ = run(home, source("a.csv", tmp_path))
    assert (line.landed, line.quarantined) == (1, 1)
    assert held(home, "quarantine")["line"].to_list() == [5]


def test_the_same_file_again_changes_nothing(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + "".join(row(number) for number in range(50)))
    run(home, source("a.csv", tmp_path))
    before = sorted(home.lake.rglob("*.parquet"))
    line, _ = run(home, source("a.csv", tmp_path), now=NOW + timedelta(days=1))
    assert (line.files_unchanged, line.read) == (1, 0)
    assert sorted(home.lake.rglob("*.parquet")) == before


def test_a_grown_file_lands_only_what_is_new_and_keeps_when_the_rest_became_known(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + row(1) + row(2))
    run(home, source("a.csv", tmp_path))
    path.write_text(HEADER + row(3) + row(1) + row(2))
    line, _ = run(home, source("a.csv", tmp_path), now=NOW + timedelta(days=3))
    assert (line.landed, line.unchanged) == (1, 2)
    known = dict(held(home).select("feedback_id", "known_at").iter_rows())
    assert known["f1"] == NOW
    assert known["f3"] == NOW + timedelta(days=3)


def test_a_run_that_died_before_it_was_noted_lands_nothing_twice(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1) + row(2, rating="9"))
    run(home, source("a.csv", tmp_path))
    for mark in (home.lake / "_landed").iterdir():
        mark.unlink()
    line, _ = run(home, source("a.csv", tmp_path), now=NOW + timedelta(hours=1))
    assert (line.unchanged, held(home).height, held(home, "quarantine").height) == (1, 1, 1)


def test_a_corrected_review_lands_as_a_new_version(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1, "bad"))
    run(home, source("*.csv", tmp_path))
    (tmp_path / "b.csv").write_text(HEADER + row(1, "better now"))
    line, _ = run(home, source("*.csv", tmp_path), now=NOW + timedelta(days=1))
    assert (line.changed, held(home)["text"].sort().to_list()) == (1, ["bad", "better now"])


def test_a_replay_may_say_when_a_row_became_known(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1))
    run(home, source("a.csv", tmp_path, known_at={"column": "occurred_at", "delay": "24h"}))
    assert held(home)["known_at"].to_list() == [datetime(2026, 4, 3, 10, tzinfo=UTC)]


def corrupt_gzip(path: Path) -> None:
    lines = "".join(row(number, f"text {random.Random(number).random()}") for number in range(3000))
    packed = gzip.compress((HEADER + lines).encode(), mtime=0)
    (path / "a.csv.gz").write_bytes(packed[: len(packed) // 2])


def latin_one(path: Path) -> None:
    (path / "a.csv").write_bytes((HEADER + row(1) + row(2, "schöne Überraschung") + row(3)).encode("latin-1"))


def no_text_column(path: Path) -> None:
    (path / "a.csv").write_text((HEADER + row(1) + row(2)).replace(",text,", ",body,", 1))


def another_date_format(path: Path) -> None:
    (path / "a.csv").write_text(HEADER + row(1) + row(2, occurred_at="31/04/2026 10:00") + row(3))


def two_megabytes(path: Path) -> None:
    (path / "a.csv").write_text(HEADER + row(1) + row(2, "never again " * 180_000) + row(3))


def nul_bytes(path: Path) -> None:
    (path / "a.csv").write_text(HEADER + row(1) + row(2, "broken\x00 text") + row(3))


def empty(path: Path) -> None:
    (path / "a.csv").write_text("")


def folder(path: Path) -> None:
    (path / "a.csv").mkdir()


def contradiction(path: Path) -> None:
    (path / "a.csv").write_text(HEADER + row(1, "first") + row(1, "second") + row(2))


CORRUPT: list[tuple[Callable[[Path], None], str, int | None]] = [
    (corrupt_gzip, "the gzip file ends early or is damaged after line", None),
    (latin_one, "a.csv line 3: the line is not utf-8", 2),
    (no_text_column, "a.csv has no column for text (it has feedback_id, source", 0),
    (another_date_format, "a.csv line 3: occurred_at '31/04/2026 10:00' is not an ISO 8601 date; set `date_format`", 2),
    (nul_bytes, "a.csv: 1 × NUL bytes dropped from a line", 3),
    (empty, "a.csv: is empty; nothing was read from it", 0),
    (folder, "is a folder where a file is expected", 0),
    (contradiction, "another row of this file has the same feedback_id 'f1' and says otherwise; the first was kept", 2),
]


@pytest.mark.parametrize(("damage", "seen", "good"), CORRUPT, ids=[case[0].__name__ for case in CORRUPT])
def test_a_damaged_export_says_so_in_one_line_and_its_good_rows_land(
    home: Home, tmp_path: Path, damage: Callable[[Path], None], seen: str, good: int | None
) -> None:
    damage(tmp_path)
    line, report = run(home, source("*.csv*", tmp_path))
    print(f"{damage.__name__}: {report.problems[0]} | good rows: {line.landed}")
    assert any(seen in problem for problem in report.problems), report.problems
    assert all("\n" not in problem for problem in report.problems)
    assert held(home).height == line.landed
    assert line.landed == good if good is not None else 0 < line.landed < 3000
    assert balanced(line) or not line.read


def test_a_review_of_two_megabytes_is_a_review(home: Home, tmp_path: Path) -> None:
    two_megabytes(tmp_path)
    line, report = run(home, source("a.csv", tmp_path))
    assert (line.landed, report.problems) == (3, [])
    assert held(home)["text"].str.len_chars().max() == len("never again " * 180_000) - 1


def test_one_failing_source_does_not_stop_the_others(home: Home, tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text(HEADER + row(1))
    missing = SourceConfig(name="gone", table="orders", path="gone.csv", base=tmp_path)
    report = land(home, [missing, source("good.csv", tmp_path)], now=NOW)
    assert "gone.csv does not exist" in report.problems[0]
    assert report.lines[1].landed == 1


def test_every_table_lands_from_every_format(home: Home, tmp_path: Path) -> None:
    examples: dict[str, dict[str, Any]] = {}
    for table in TABLES:
        values: dict[str, Any] = {name: "x" for name in required_columns(table)}
        for name, kind in own_columns(table).items():
            if kind == INSTANT and name in values:
                values[name] = "2026-04-01T00:00:00+02:00"
            elif name in values and kind.is_numeric():
                values[name] = 1
            elif kind == pl.Boolean:
                values[name] = "yes"
        values |= {"channel": "chat"} if table == "feedback" else {"step": "visit"} if table == "funnel_metrics" else {}
        examples[table] = values
    sources = []
    for number, (table, values) in enumerate(examples.items()):
        if number % 3 == 0:
            (tmp_path / f"{table}.jsonl").write_text(json.dumps(values) + "\n")
        elif number % 3 == 1:
            pl.DataFrame([values]).write_parquet(tmp_path / f"{table}.parquet")
        else:
            packed = ",".join(values) + "\n" + ",".join(str(value) for value in values.values()) + "\n"
            (tmp_path / f"{table}.csv.gz").write_bytes(gzip.compress(packed.encode()))
        sources.append(SourceConfig(name=table, table=table, path=f"{table}.*", base=tmp_path))
    report = land(home, sources, now=NOW)
    assert report.problems == []
    assert {line.table: line.landed for line in report.lines} == dict.fromkeys(TABLES, 1)


def test_a_broken_rule_names_the_value_and_what_is_allowed(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1, rating="11") + row(2, channel="pigeon") + row(3, text=""))
    run(home, source("a.csv", tmp_path))
    reasons = held(home, "quarantine").sort("line")["reason"].to_list()
    assert reasons[0] == "rating is '11.0'; allowed is at least 1 and at most 5"
    assert reasons[1].startswith("channel is 'pigeon'; allowed is one of app_review, ")
    assert reasons[2] == "text is missing"


CELLS = st.one_of(
    st.sampled_from(
        ["f1", "f2", "", "chat", "social", "2026-04-01", "2026-04-01T10:00:00Z", "1775000000", "3", "6", "x"]
    ),
    st.text(max_size=12),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(CELLS, min_size=8, max_size=8), max_size=8))
def test_whatever_the_rows_hold_each_is_counted_exactly_once(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    (folder / "a.csv").write_text(HEADER + written.getvalue(), encoding="utf-8", errors="surrogatepass")
    line, _ = run(Home(folder / "home"), source("a.csv", folder))
    assert balanced(line)
    assert held(Home(folder / "home")).height == line.landed + line.changed


def test_settings_are_checked_on_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sources.yml"

    def problem(entry: str) -> str:
        path.write_text("sources:\n  - " + entry)
        with pytest.raises(ConfigurationError) as caught:
            load_sources(path)
        return str(caught.value)

    monkeypatch.delenv("NOWHERE", raising=False)
    assert "there is no setting 'pth'; did you mean 'path'?" in problem("{name: a, table: feedback, pth: x.csv}")
    assert "table 'feedbak' does not exist" in problem("{name: a, table: feedbak, path: x.csv}")
    assert "the environment variable NOWHERE is not set" in problem("{name: a, table: feedback, path: '${NOWHERE}/x'}")
    assert "'ratng' is not a column of feedback; did you mean 'rating'?" in problem(
        "{name: a, table: feedback, path: x, renames: {stars: ratng}}"
    )
    assert "'utf-99' is not an encoding" in problem("{name: a, table: feedback, path: x, encoding: utf-99}")
    assert "'5 parsecs' is not a delay" in problem(
        "{name: a, table: feedback, path: x, known_at: {column: d, delay: 5 parsecs}}"
    )


def test_the_fingerprint_changes_with_the_files(tmp_path: Path) -> None:
    sources = [source("*.csv", tmp_path)]
    before = fingerprint(sources)
    (tmp_path / "a.csv").write_text(HEADER)
    between = fingerprint(sources)
    assert before != between
    assert fingerprint(sources) == between


@pytest.mark.parametrize("last_column", [True, False])
def test_a_quote_that_is_never_closed_costs_one_row(home: Home, tmp_path: Path, last_column: bool) -> None:
    header = "feedback_id,source,channel,product,occurred_at,text" + ("" if last_column else ",mood") + "\n"
    end = "\n" if last_column else ",sour\n"
    rows = [f"f{number},shop,chat,app,2026-04-01,fine{end}" for number in range(100)]
    rows[2] = rows[2].replace("fine", '"he said no')
    (tmp_path / "a.csv").write_text(header + "".join(rows))
    line, _ = run(home, source("a.csv", tmp_path))
    assert (line.read, line.landed, line.quarantined) == (100, 99, 1)
    assert held(home)["text"].unique().to_list() == ["fine"]
    assert held(home, "quarantine")["line"].to_list() == [4]


def test_an_open_quote_before_a_properly_quoted_text_costs_one_row(home: Home, tmp_path: Path) -> None:
    good = row(1, "one\ntwo") + row(2, 'she said "no", twice')
    (tmp_path / "a.csv").write_text(HEADER + row(0).replace("it broke", '"it broke') + good + row(3))
    line, _ = run(home, source("a.csv", tmp_path))
    assert (line.landed, line.quarantined) == (3, 1)
    assert held(home).sort("feedback_id")["text"].to_list() == ["one\ntwo", 'she said "no", twice', "it broke"]


def test_a_file_that_goes_back_to_earlier_content_is_read_again(home: Home, tmp_path: Path) -> None:
    for day, text in enumerate(["first", "second", "first"]):
        (tmp_path / "a.csv").write_text(HEADER + row(1, text))
        run(home, source("a.csv", tmp_path), now=NOW + timedelta(days=day))
    assert held(home).sort("known_at")["text"].to_list() == ["first", "second", "first"]


def test_a_header_that_cannot_be_read_is_not_replaced_by_the_first_row(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes((HEADER.replace("mood", "größe") + row(1) + row(2)).encode("latin-1"))
    line, report = run(home, source("a.csv", tmp_path))
    assert (line.landed, held(home).height) == (0, 0)
    assert "its header cannot be read" in report.problems[0]
    assert "`encoding`" in report.problems[0]
    again, _ = run(home, source("a.csv", tmp_path, encoding="latin-1"))
    assert again.landed == 2


def test_what_cannot_be_read_does_not_stop_other_sources(home: Home, tmp_path: Path) -> None:
    (tmp_path / "deep.jsonl").write_text('{"a":' + "9" * 5000 + "}\n" + "[" * 200_000 + "\n")
    (tmp_path / "head.csv").write_text(HEADER.replace("text", '"te"xt') + row(1))
    (tmp_path / "huge.jsonl").write_text(
        '{"product":"p","service":"s","bucket_start":"2026-04-01","errors":0,"requests":1' + "0" * 400 + "}\n"
    )
    (tmp_path / "rel.csv").write_text("product,environment,deployed_at,ver\napp,prod,2026-04-01,1\n")
    (tmp_path / "good.csv").write_text(HEADER + row(1))
    report = land(
        home,
        [
            SourceConfig(name="deep", table="feedback", path="deep.jsonl", base=tmp_path),
            SourceConfig(name="head", table="feedback", path="head.csv", base=tmp_path),
            SourceConfig(name="huge", table="service_metrics", path="huge.jsonl", base=tmp_path),
            SourceConfig(
                name="rel",
                table="releases",
                path="rel.csv",
                base=tmp_path,
                templates={"release_id": "{product}@{version}"},
            ),
            source("good.csv", tmp_path, known_at={"column": "nowhere"}),
            SourceConfig(name="last", table="feedback", path="good.csv", base=tmp_path),
        ],
        now=NOW,
    )
    said = "\n".join(report.problems)
    for name in ("deep", "head", "huge", "rel", "exports"):
        assert f"{name}: " in said
    assert report.lines[-1].landed == 1


def test_an_unknown_column_keeps_every_value_it_has(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1, mood="none"))
    run(home, source("a.csv", tmp_path))
    assert json.loads(held(home)["attributes"].item()) == {"mood": "none"}


def test_two_columns_of_one_name_are_refused_rather_than_one_lost(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER.replace("mood", "text") + row(1))
    line, report = run(home, source("a.csv", tmp_path))
    assert line.landed == 0
    assert "two columns are named 'text'" in report.problems[0]

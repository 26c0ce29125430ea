"""Versions of a row: the current one, that all are kept, and that reading again adds none."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.home import Home
from dagster_project.ingestion.landing import land
from dagster_project.ingestion.sources import SourceConfig
from tests.ingestion.exports import HEADER, NOW, balanced, held, row, run, source

DAY = timedelta(days=1)
UPDATED = HEADER.replace("mood", "updated_at")
RELEASES = "release_id,product,version,environment,deployed_at,rollout_percent,updated_at\n"


def texts(home: Home) -> list[str]:
    """Every version's text, oldest first: the last is what the marts take."""
    return [str(text) for text in held(home).sort("known_at", "content_hash", descending=[False, True])["text"]]


def current(home: Home) -> dict[str, str]:
    """The text that the marts take for each id."""
    versions = held(home).sort("known_at", "content_hash", descending=[False, True])
    return dict(versions.select("feedback_id", "text").iter_rows())


def releases(path: str, base: Path, **settings: Any) -> SourceConfig:
    return SourceConfig(name="releases", table="releases", path=path, base=base, **settings)


def release(percent: int, updated_at: str) -> str:
    return f"app-1,app,1.0,production,2026-04-01T08:00:00Z,{percent},{updated_at}\n"


# -- two files of one run ----------------------------------------------------------------------------------------------


def test_of_two_files_of_one_run_the_later_by_name_is_current_and_both_are_kept(home: Home, tmp_path: Path) -> None:
    for number, text in {9: "nine", 10: "ten", 8: "eight", 11: "eleven"}.items():
        (tmp_path / f"day_{number}.csv").write_text(HEADER + row(1, text))
    line, report = run(home, source("*.csv", tmp_path))
    assert (line.landed, line.changed, report.problems) == (1, 3, [])
    assert texts(home) == ["eight", "nine", "ten", "eleven"]


def test_all_versions_are_known_by_the_end_of_the_run_that_read_them(home: Home, tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number}.csv").write_text(HEADER + row(1, f"text {number}"))
    run(home, source("*.csv", tmp_path))
    known = sorted(held(home)["known_at"])
    assert (known[-1], len(set(known))) == (NOW, 12)
    assert known[0] > NOW - timedelta(seconds=1)


@pytest.mark.parametrize("names", [("a.csv", "b.csv"), ("b.csv", "a.csv")])
def test_what_rows_say_of_their_own_update_goes_before_the_order_of_files(
    home: Home, tmp_path: Path, names: tuple[str, str]
) -> None:
    (tmp_path / names[0]).write_text(UPDATED + row(1, "older", mood="2026-04-05T10:00:00Z"))
    (tmp_path / names[1]).write_text(UPDATED + row(1, "newer", mood="2026-04-06T10:00:00Z"))
    line, _ = run(home, source("*.csv", tmp_path))
    assert (line.landed, line.changed, texts(home)) == (1, 1, ["older", "newer"])


def test_a_review_edited_in_the_play_store_is_current_whichever_export_is_read_last(home: Home, tmp_path: Path) -> None:
    header = (
        "Package Name,Review Submit Date and Time,Review Last Update Date and Time,Star Rating,Review Text,Review Link"
    )
    line = "com.app,2026-04-01T10:00:00Z,{},{},{},https://play.google.com/x?reviewId=r1"
    (tmp_path / "a.csv").write_text("\n".join([header, line.format("2026-04-09T10:00:00Z", 5, "fixed")]), "utf-16")
    (tmp_path / "b.csv").write_text("\n".join([header, line.format("2026-04-01T10:00:00Z", 1, "broken")]), "utf-16")
    play = SourceConfig(name="play", reader="google_play", path="*.csv", base=tmp_path)
    counted, report = run(home, play)
    assert (counted.landed, counted.changed, report.problems) == (1, 1, [])
    assert texts(home) == ["broken", "fixed"]


def test_an_old_version_that_arrives_days_later_is_kept_but_does_not_become_current(home: Home, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text(UPDATED + row(1, "newer", mood="2026-04-06T10:00:00Z"))
    run(home, source("*.csv", tmp_path))
    (tmp_path / "old.csv").write_text(UPDATED + row(1, "older", mood="2026-04-05T10:00:00Z"))
    line, _ = run(home, source("*.csv", tmp_path), now=NOW + DAY)
    assert (line.changed, texts(home)) == (1, ["older", "newer"])


def test_the_update_instant_may_have_another_name_and_format(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1, "newer", mood="06.04.2026 10:00", occurred_at="01.04.2026 10:00"))
    (tmp_path / "b.csv").write_text(HEADER + row(1, "older", mood="05.04.2026 10:00", occurred_at="01.04.2026 10:00"))
    shaped = source("*.csv", tmp_path, renames={"mood": "updated_at"}, date_format="%d.%m.%Y %H:%M")
    run(home, shaped)
    assert texts(home) == ["older", "newer"]


def test_of_two_sources_of_one_run_the_later_in_the_settings_is_current(home: Home, tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text(HEADER + row(1, "first source"))
    (tmp_path / "a.csv").write_text(HEADER + row(1, "second source"))
    second = SourceConfig(name="second", table="feedback", path="a.csv", base=tmp_path)
    land(home, [source("b.csv", tmp_path), second], now=NOW)
    assert texts(home) == ["first source", "second source"]


# -- one file that holds its own history -------------------------------------------------------------------------------

HISTORY = [(10, "2026-04-01T09:00:00Z"), (50, "2026-04-02T09:00:00Z"), (100, "2026-04-03T09:00:00Z")]


@pytest.mark.parametrize("order", list(permutations(HISTORY)))
@pytest.mark.parametrize("supplied", ["updated_at", "known_at"])
def test_a_file_with_one_row_per_change_lands_every_version_in_their_order(
    home: Home, tmp_path: Path, order: tuple[tuple[int, str], ...], supplied: str
) -> None:
    header = RELEASES.replace("updated_at", supplied)
    (tmp_path / "a.csv").write_text(header + "".join(release(*entry) for entry in order))
    line, report = run(home, releases("a.csv", tmp_path))
    assert (line.landed, line.changed, line.quarantined, report.problems) == (1, 2, 0, [])
    versions = held(home, "releases").sort("known_at")
    assert versions["rollout_percent"].to_list() == [10.0, 50.0, 100.0]
    if supplied == "known_at":
        assert versions["known_at"].to_list() == [datetime.fromisoformat(instant) for _, instant in HISTORY]
    else:
        assert versions["known_at"].max() == NOW


def test_known_at_of_the_settings_gives_every_version_its_own_instant(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(RELEASES + "".join(release(*entry) for entry in HISTORY))
    line, _ = run(home, releases("a.csv", tmp_path, known_at={"column": "updated_at"}))
    assert (line.landed, line.changed) == (1, 2)
    known = held(home, "releases").sort("known_at")["known_at"].to_list()
    assert known == [datetime.fromisoformat(instant) for _, instant in HISTORY]


@pytest.mark.parametrize("supplied", ["updated_at", "known_at"])
def test_rows_of_one_instant_that_contradict_each_other_stay_in_quarantine(
    home: Home, tmp_path: Path, supplied: str
) -> None:
    same = "2026-04-01T09:00:00Z"
    rows = release(10, same) + release(20, same) + release(10, same) + release(50, "2026-04-02T09:00:00Z")
    (tmp_path / "a.csv").write_text(RELEASES.replace("updated_at", supplied) + rows)
    line, report = run(home, releases("a.csv", tmp_path))
    assert (line.landed, line.changed, line.unchanged, line.quarantined) == (1, 1, 1, 1)
    assert held(home, "releases").sort("known_at")["rollout_percent"].to_list() == [10.0, 50.0]
    assert held(home, "quarantine")["line"].to_list() == [3]
    assert "has the same release_id 'app-1' and says otherwise; the first was kept" in report.problems[0]
    assert "`updated_at` or `known_at`" in report.problems[0]


def test_a_contradiction_far_down_a_long_file_is_still_one(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagster_project.ingestion.reading.BATCH", 3)
    (tmp_path / "a.csv").write_text(HEADER + "".join(row(number) for number in range(7)) + row(1, "other") + row(2))
    line, _ = run(home, source("a.csv", tmp_path))
    assert (line.landed, line.changed, line.unchanged, line.quarantined) == (7, 0, 1, 1)


def test_the_history_of_a_file_that_grows_grows_with_it(home: Home, tmp_path: Path) -> None:
    for day in range(3):
        (tmp_path / "a.csv").write_text(RELEASES + "".join(release(*entry) for entry in HISTORY[: day + 1]))
        line, _ = run(home, releases("a.csv", tmp_path), now=NOW + day * DAY)
        assert (line.landed + line.changed, line.unchanged) == (1, day)
    assert held(home, "releases").sort("known_at")["rollout_percent"].to_list() == [10.0, 50.0, 100.0]


# -- reading again -----------------------------------------------------------------------------------------------------


def files_of_the_lake(home: Home) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(home.lake.rglob("*.parquet")) if "_landed" not in str(path)}


def test_other_settings_that_change_no_row_append_nothing(home: Home, tmp_path: Path) -> None:
    for day, name in enumerate(["a", "b", "c"]):
        (tmp_path / f"{name}.csv").write_text(HEADER + row(1, f"said by {name}") + row(2, "same") + row(3 + day))
        run(home, source("*.csv", tmp_path), now=NOW + day * DAY)
    before = files_of_the_lake(home)
    line, _ = run(home, source("*.csv", tmp_path, missing=["-"]), now=NOW + 5 * DAY)
    assert (line.files, line.read, line.unchanged) == (3, 9, 9)
    assert files_of_the_lake(home) == before


def test_an_old_file_exported_again_does_not_become_current_over_a_newer_one(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1, "old"))
    run(home, source("*.csv", tmp_path))
    (tmp_path / "b.csv").write_text(HEADER + row(1, "new"))
    run(home, source("*.csv", tmp_path), now=NOW + DAY)
    (tmp_path / "a.csv").write_text(HEADER + row(7, "one more") + row(1, "old"))
    line, _ = run(home, source("*.csv", tmp_path), now=NOW + 2 * DAY)
    assert (line.landed, line.changed, line.unchanged) == (1, 0, 1)
    assert texts(home) == ["old", "new", "one more"]


def test_a_row_that_a_file_only_repeated_is_not_news_when_the_file_is_exported_again(
    home: Home, tmp_path: Path
) -> None:
    for day, (name, text) in enumerate([("a", "old"), ("b", "old"), ("c", "new")]):
        (tmp_path / f"{name}.csv").write_text(HEADER + row(1, text))
        run(home, source("*.csv", tmp_path), now=NOW + day * DAY)
    (tmp_path / "b.csv").write_text(HEADER + row(1, "old") + row(7))
    run(home, source("*.csv", tmp_path), now=NOW + 5 * DAY)
    assert texts(home) == ["old", "new", "it broke"]


def test_rows_that_new_settings_read_otherwise_stay_behind_those_of_newer_files(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1, "old", mood="4"))
    run(home, source("*.csv", tmp_path))
    (tmp_path / "b.csv").write_text(HEADER.replace(",mood", ",other") + row(1, "new"))
    run(home, source("*.csv", tmp_path), now=NOW + DAY)
    line, _ = run(home, source("*.csv", tmp_path, renames={"mood": "country"}), now=NOW + 2 * DAY)
    assert (line.changed, line.unchanged) == (1, 1)
    assert texts(home) == ["old", "old", "new"]


def test_settings_that_are_taken_back_give_the_rows_back(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1, "old"))
    (tmp_path / "b.csv").write_text(HEADER + row(1, "new"))
    right, wrong = source("*.csv", tmp_path), source("*.csv", tmp_path, renames={"mood": "text", "text": "title"})
    for day, chosen in enumerate([right, wrong, right, right]):
        run(home, chosen, now=NOW + day * DAY)
        assert texts(home)[-1] == ("sour" if chosen is wrong else "new")


def test_a_supplied_instant_keeps_its_place_when_the_settings_change_and_change_back(
    home: Home, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1, "good"))
    known = {"known_at": {"column": "occurred_at"}}
    right, wrong = source("*.csv", tmp_path, **known), source("*.csv", tmp_path, **known, renames={"mood": "text"})
    for day, chosen in enumerate([right, wrong, right, right]):
        run(home, chosen, now=NOW + day * DAY)
        assert texts(home)[-1] == ("sour" if chosen is wrong else "good")
    assert texts(home) == ["good", "sour", "good"]
    known_at = sorted(held(home)["known_at"])
    assert known_at[-1] - known_at[0] < timedelta(milliseconds=1)


def test_two_updates_of_one_supplied_instant_are_placed_once_whatever_the_settings(home: Home, tmp_path: Path) -> None:
    header = UPDATED.replace("rating", "known_at")
    first = row(1, "first", rating="2026-04-10", mood="2026-04-01")
    (tmp_path / "a.csv").write_text(header + row(1, "second", rating="2026-04-10", mood="2026-04-02") + first)
    plain = source("*.csv", tmp_path)
    run(home, plain)
    assert texts(home) == ["first", "second"]
    for day, missing in enumerate(["first", "first,", "-"]):
        other = source("*.csv", tmp_path, missing=[missing, "2"], constants={"country": "DE"})
        run(home, other, now=NOW + day * DAY)
        assert (texts(home)[-1], len(texts(home))) == ("second", [3, 4, 4][day])


def test_a_history_of_a_thousand_changes_of_one_key_lands(home: Home, tmp_path: Path) -> None:
    start = datetime(2026, 4, 1)
    rows = [release(number % 100, f"{start + timedelta(minutes=number)}") for number in range(1000)]
    (tmp_path / "a.csv").write_text(RELEASES + "".join(rows))
    line, _ = run(home, releases("a.csv", tmp_path))
    assert (line.landed, line.changed) == (1, 999)
    assert held(home, "releases").sort("known_at")["rollout_percent"].to_list() == [float(n % 100) for n in range(1000)]


def test_a_history_read_again_under_other_settings_appends_nothing(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(RELEASES + "".join(release(*entry) for entry in HISTORY))
    run(home, releases("a.csv", tmp_path))
    before = files_of_the_lake(home)
    line, _ = run(home, releases("a.csv", tmp_path, missing=["-"]), now=NOW + DAY)
    assert (line.read, line.unchanged) == (3, 3)
    assert files_of_the_lake(home) == before


def test_a_new_file_that_says_again_what_was_said_before_is_a_change(home: Home, tmp_path: Path) -> None:
    for day, text in enumerate(["open", "closed", "open"]):
        (tmp_path / f"day{day}.csv").write_text(HEADER + row(1, text))
        run(home, source("*.csv", tmp_path), now=NOW + day * DAY)
    assert texts(home) == ["open", "closed", "open"]


def test_a_run_that_died_before_anything_was_noted_changes_nothing_when_repeated(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1, "old") + row(2))
    (tmp_path / "b.csv").write_text(HEADER + row(1, "new"))
    run(home, source("*.csv", tmp_path))
    before = files_of_the_lake(home)
    for mark in (home.lake / "_landed").iterdir():
        mark.unlink()
    line, _ = run(home, source("*.csv", tmp_path), now=NOW + DAY)
    assert (line.landed, line.changed, line.unchanged) == (0, 0, 3)
    assert files_of_the_lake(home) == before


EXPORT = st.lists(
    st.tuples(st.integers(1, 2), st.sampled_from("abc"), st.sampled_from(["", "2026-04-05", "2026-04-06"])),
    min_size=1,
    max_size=4,
)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=st.lists(st.dictionaries(st.sampled_from(["x.csv", "y.csv"]), EXPORT, min_size=1), min_size=1, max_size=3))
def test_whatever_is_exported_each_row_is_counted_once_and_reading_again_adds_nothing(
    tmp_path_factory: pytest.TempPathFactory, days: list[dict[str, list[tuple[int, str, str]]]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    home = Home(folder / "home")
    landed = 0
    for day, files in enumerate(days):
        for name, rows in files.items():
            lines = [row(number, text, mood=updated) for number, text, updated in rows]
            (folder / name).write_text(UPDATED + "".join(lines))
        line, _ = run(home, source("*.csv", folder), now=NOW + day * DAY)
        assert balanced(line)
        landed += line.landed + line.changed
        assert held(home).height == landed
        assert held(home).select("feedback_id", "known_at").is_unique().all()
        assert max(held(home)["known_at"]) <= NOW + day * DAY
    before = files_of_the_lake(home)
    line, _ = run(home, source("*.csv", folder, missing=["-"]), now=NOW + 9 * DAY)
    assert balanced(line)
    assert files_of_the_lake(home) == before


SAID = st.dictionaries(st.integers(1, 2), st.sampled_from("abc"), min_size=1)


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=st.lists(st.dictionaries(st.sampled_from(["x.csv", "y.csv"]), SAID, min_size=1), min_size=1, max_size=4))
def test_the_current_version_is_the_last_new_thing_that_any_file_said(
    tmp_path_factory: pytest.TempPathFactory, days: list[dict[str, dict[int, str]]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    home = Home(folder / "home")
    said: dict[str, dict[int, str]] = {}
    expected: dict[str, str] = {}
    for day, files in enumerate(days):
        for name, rows in sorted(files.items()):
            (folder / name).write_text(HEADER + "".join(row(number, text) for number, text in rows.items()))
            new = {number: text for number, text in rows.items() if said.get(name, {}).get(number) != text}
            expected |= {f"f{number}": text for number, text in new.items()}
            said[name] = rows
        run(home, source("*.csv", folder, missing=["-"] * (day % 2)), now=NOW + day * DAY)
        assert current(home) == expected


INSTANTS = st.sampled_from([f"2026-04-0{day}T10:00:00Z" for day in range(1, 6)])


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=st.lists(st.dictionaries(st.sampled_from(["x.csv", "y.csv"]), st.lists(INSTANTS), min_size=1), max_size=3))
def test_the_current_version_is_the_one_updated_last_whatever_order_they_arrive_in(
    tmp_path_factory: pytest.TempPathFactory, days: list[dict[str, list[str]]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    home = Home(folder / "home")
    everything: set[str] = set()
    for day, files in enumerate(days):
        for name, instants in files.items():
            (folder / name).write_text(UPDATED + "".join(row(1, instant, mood=instant) for instant in instants))
            everything |= set(instants)
        run(home, source("*.csv", folder), now=NOW + day * DAY)
        versions = texts(home)
        assert (versions[-1:], sorted(versions)) == (sorted(everything)[-1:], sorted(everything))

"""A source that is missing, empty, damaged or silent shows in the report of every run until it is mended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from dagster import AssetCheckResult, AssetCheckSeverity, AssetKey, materialize

from dagster_project import display
from dagster_project.home import Home
from dagster_project.ingestion import api_client
from dagster_project.ingestion.checks import check_results
from dagster_project.ingestion.landing import LandingReport, land, survey
from dagster_project.ingestion.source_freshness import first_day
from dagster_project.ingestion.sources import SourceConfig
from dagster_project.resources import HomeResource
from tests.ingestion.exports import HEADER, NOW, row, run, source


def verdicts(report: LandingReport, table: str = "feedback") -> tuple[AssetCheckResult, AssetCheckResult]:
    every_source, quarantine = check_results(table, report)
    return every_source, quarantine


def test_a_good_source_passes_and_its_newest_row_is_told(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1) + row(2))
    line, report = run(home, source("a.csv", tmp_path))
    assert (line.state, line.problem, report.unread, report.silent) == ("read", "", [], [])
    assert (line.newest_occurred_at, line.newest_known_at) == (datetime(2026, 4, 3, 10, tzinfo=UTC), NOW)
    assert [result.passed for result in verdicts(report)] == [True, True]


def test_a_missing_source_warns_beside_one_that_is_read(home: Home, tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text(HEADER + row(1))
    gone = SourceConfig(name="zendesk", reader="zendesk", path="exports/zendesk/*.json", base=tmp_path)
    report = land(home, [source("good.csv", tmp_path), gone], now=NOW)
    assert [(line.source, line.state) for line in report.unread] == [("zendesk", "missing")]
    found, _ = verdicts(report)
    assert (found.passed, found.severity) == (False, AssetCheckSeverity.WARN)
    assert "no file matches" in str(found.description)
    assert "zendesk (missing)" in str(found.metadata["not read"].value)


def test_a_file_without_a_row_is_empty_also_when_it_is_not_read_again(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER)
    for hours in (0, 1):
        line, report = run(home, source("a.csv", tmp_path), now=NOW + timedelta(hours=hours))
        assert (line.state, report.unread) == ("empty", [])
        assert report.problems == ["exports: its 1 file(s) hold no row; look at the export"]


def test_a_lost_file_stays_a_problem_until_it_is_exported_again(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"tickets": [{"id": 1, "subject": "cut o')
    zendesk = SourceConfig(name="zendesk", reader="zendesk", path="*.json", base=tmp_path)
    for hours in (0, 1):
        report = land(home, [zendesk], now=NOW + timedelta(hours=hours))
        assert [line.state for line in report.unread] == ["unreadable"]
        assert "a.json" in report.problems[0]
        assert [result.passed for result in verdicts(report)] == [False, False]
    (tmp_path / "a.json").unlink()
    (tmp_path / "b.json").write_text('{"tickets": []}')
    assert land(home, [zendesk], now=NOW).lines[0].state == "empty"


def test_a_lost_file_beside_a_good_one_is_damage(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1))
    (tmp_path / "b.csv").write_text("")
    line, report = run(home, source("*.csv", tmp_path))
    assert (line.state, report.unread) == ("damaged", [])
    every_source, quarantine = verdicts(report)
    assert (every_source.passed, quarantine.passed) == (False, False)


def test_bad_rows_of_one_source_are_not_outweighed_by_another(home: Home, tmp_path: Path) -> None:
    (tmp_path / "many.csv").write_text(HEADER + "".join(row(number) for number in range(500)))
    (tmp_path / "few.csv").write_text(HEADER + row(900) + row(901, rating="9"))
    few = SourceConfig(name="few", table="feedback", path="few.csv", base=tmp_path)
    report = land(home, [source("many.csv", tmp_path), few], now=NOW)
    _, quarantine = verdicts(report)
    assert (quarantine.passed, quarantine.metadata["share by source"].value) == (False, {"few": 0.5})


def test_a_source_that_stops_is_an_error_after_its_time(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1))
    exports = source("a.csv", tmp_path)
    for days, silent in ((0, False), (2, False), (3, True)):
        line, report = run(home, exports, now=NOW + timedelta(days=days))
        assert (line.silent_since is not None, bool(report.silent)) == (silent, silent)
    found, _ = verdicts(report)
    assert (found.passed, found.severity, line.state) == (False, AssetCheckSeverity.ERROR, "read")
    assert report.silent == [
        "exports: nothing new since 2026-05-01 12:00 UTC (allowed: 2 d); look whether the export still runs, or set"
        " `silent_after` (`never` for a source that has ended)"
    ]
    for setting, silent in (("4d", False), ("never", False), ("1h", True)):
        line, _ = run(home, source("a.csv", tmp_path, silent_after=setting), now=NOW + timedelta(days=3))
        assert (line.silent_since is not None, line.files_unchanged) == (silent, 1)  # no setting of the reading


def test_a_source_that_never_came_is_silent_from_the_first_look_on(home: Home, tmp_path: Path) -> None:
    gone = source("gone.csv", tmp_path)
    assert run(home, gone)[1].silent == []
    line, _ = run(home, gone, now=NOW + timedelta(days=3))
    assert (line.state, line.silent_since) == ("missing", NOW)


def test_a_home_of_an_earlier_version_began_when_its_first_file_landed(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + row(1))
    run(home, source("a.csv", tmp_path))
    (home.lake / "_landed" / "sources.json").unlink()  # only the files' marks were kept
    assert first_day(home) == NOW.date()
    run(home, source("a.csv", tmp_path), now=NOW + timedelta(days=9))
    assert first_day(home) == NOW.date()
    assert (home.lake / "_landed" / "sources.json").exists()


def test_a_wrong_time_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'soon' is not a delay; write 90s, 30m, 24h or 2d"):
        source("a.csv", tmp_path, silent_after="soon")


def test_a_survey_reports_the_same_and_lands_nothing(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_TOKEN", raising=False)
    (tmp_path / "a.csv").write_text("")
    api = SourceConfig(name="api", reader="github", url="https://x.example", repository="a/b", token_env="NO_TOKEN")
    gone = SourceConfig(name="gone", table="orders", path="gone.csv", base=tmp_path)
    sources = [source("a.csv", tmp_path), gone, api]
    assert [line.state for line in survey(home, sources, now=NOW).lines] == ["read", "missing", "unreadable"]
    assert not home.lake.exists()
    land(home, sources[:2], now=NOW)
    assert [line.state for line in survey(home, sources, now=NOW).lines] == ["unreadable", "missing", "unreadable"]


def test_one_table_can_be_landed_alone(home: Home, tmp_path: Path) -> None:
    from dagster_project.ingestion import assets

    (tmp_path / "a.csv").write_text(HEADER + row(1, rating="9") + row(2))
    (tmp_path / "sources.yml").write_text(
        "sources:\n- {name: exports, table: feedback, path: a.csv}\n- {name: gone, table: orders, path: gone.csv}\n"
    )
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    result = materialize(
        [assets.landing],
        selection=[AssetKey(["lake", "feedback"])],
        partition_key=today,
        resources={"home": HomeResource(root=str(home.root), sources=str(tmp_path / "sources.yml"))},
    )
    (event,) = result.asset_materializations_for_node("landing")[-1:]
    assert event.asset_key == AssetKey(["lake", "feedback"])
    assert (event.metadata["new rows"].value, event.metadata["quarantined"].value) == (1, 1)
    assert "gone" not in str(event.metadata["sources"].value)
    checks = {(one.asset_key.path[-1], one.check_name): one.passed for one in result.get_asset_check_evaluations()}
    assert checks == {("feedback", "every_source_was_read"): True, ("feedback", "quarantine_share"): False}


def test_a_table_that_cannot_be_shown_lands_all_the_same_and_so_do_the_others(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster_project.ingestion import assets

    real = display.preview

    def odd(rows: pl.LazyFrame) -> str:
        if "text" in rows.collect_schema().names():
            raise ValueError("a value that nothing can print")
        return real(rows)

    monkeypatch.setattr(display, "preview", odd)
    (tmp_path / "a.csv").write_text(HEADER + row(1))
    (tmp_path / "sources.yml").write_text("sources: [{name: exports, table: feedback, path: a.csv}]")
    result = materialize(
        [assets.landing],
        selection=[AssetKey(["lake", "feedback"]), AssetKey(["lake", "orders"])],
        partition_key=f"{datetime.now(UTC):%Y-%m-%d}",
        resources={"home": HomeResource(root=str(home.root), sources=str(tmp_path / "sources.yml"))},
    )
    made = {event.asset_key.path[-1]: event for event in result.asset_materializations_for_node("landing")}
    assert set(made) == {"feedback", "orders"}
    assert made["feedback"].metadata["new rows"].value == 1
    assert "lake/feedback cannot be shown (ValueError" in str(made["feedback"].metadata["not shown"].value)


def test_an_api_that_cannot_be_reached_is_asked_again_and_stops_nothing(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(api_client, "sleep", pauses.append)
    (tmp_path / "a.csv").write_text(HEADER + row(1))
    api = SourceConfig(name="deploys", reader="github", url="http://127.0.0.1:9", repository="a/b")
    report = land(home, [source("a.csv", tmp_path), api], now=NOW)
    assert (pauses, report.lines[0].landed) == ([1.0, 3.0], 1)
    assert [(line.source, line.state) for line in report.unread] == [("deploys", "unreadable")]
    assert len(report.problems) == 1

"""The shop goes on under a control system: what was exported stays, and a withdrawn version is gone within hours."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dagster_project import lake
from dagster_project.home import Home
from dagster_project.ingestion.contracts import TABLES
from dagster_project.ingestion.landing import land
from dagster_project.ingestion.sources import load_sources
from dagster_project.simulation.shop.played import Played, Stretch, obeyed, usual_control
from dagster_project.simulation.shop.shop import play_on, write_shop
from dagster_project.simulation.shop.story import Story
from tests.simulation.shop.shop_fixtures import UNTIL

DAYS, HOURS = 21, 24
LATER = UNTIL + timedelta(hours=HOURS)
BAD, BEFORE = "5.2.0", "5.1.4"


def control(**android: Any) -> dict[str, Any]:
    """The usual state, but for the android release."""
    state = copy.deepcopy(usual_control(Story.ending(UNTIL, DAYS)))
    state["releases"]["android"] |= android
    return state


STATES = {"nothing": control(), "halted": control(halted=True), "rolled back": control(version=BEFORE)}


@dataclass(frozen=True)
class Day:
    """The exports after a day that was played on, landed in a lake of their own."""

    folder: Path
    home: Home

    def table(self, name: str) -> pl.DataFrame:
        return lake.scan(self.home, name).collect()

    def android_checkout(self) -> pl.DataFrame:
        """Requests and errors of the checkout on android by hour of the day played."""
        own = self.table("service_metrics").filter(
            pl.col("service") == "checkout", pl.col("platform") == "android", pl.col("bucket_start") >= UNTIL
        )
        return (
            own.with_columns(hour=(pl.col("bucket_start") - UNTIL).dt.total_hours(), bad=pl.col("app_version") == BAD)
            .group_by("hour", "bad")
            .agg(pl.col("requests", "errors").sum())
        )

    def error_rate(self, first: int, last: int) -> float:
        hours = self.android_checkout().filter(pl.col("hour").is_between(first, last))
        return float(hours["errors"].sum()) / float(hours["requests"].sum())

    def complaints(self, first: int, last: int) -> int:
        """Complaints that the bad release caused, by the hours in which they were written."""
        truth = pl.read_csv(self.folder / "truth_feedback.csv").filter(planted="android_checkout")
        written = pl.col("occurred_at").is_between(UNTIL + timedelta(hours=first), UNTIL + timedelta(hours=last + 1))
        return self.table("feedback").join(truth, on="feedback_id", how="semi").filter(written).height


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Day]:
    """A day played on under each state; what the story left was landed before."""
    played = {}
    for name, state in STATES.items():
        root = tmp_path_factory.mktemp("played")
        day = Day(root / "shop", Home(root / "home"))
        sources = write_shop(day.folder, until=UNTIL, days=DAYS).sources
        land(day.home, load_sources(sources), now=UNTIL)
        (root / "before").mkdir()
        for table in TABLES:
            day.table(table).write_parquet(root / "before" / table)
        play_on(day.folder, HOURS, state)
        report = land(day.home, load_sources(sources), now=LATER)
        assert (report.problems, report.quarantined) == ([], 0)
        played[name] = day
    return played


def test_nothing_that_had_landed_is_changed_and_the_day_after_lands_whole(days: dict[str, Day]) -> None:
    for name, day in days.items():
        truth = json.loads((day.folder / "truth.json").read_text())
        assert truth["until"] == LATER.isoformat()
        for table in TABLES:
            before, now = pl.read_parquet(day.folder.parent / "before" / table), day.table(table)
            assert now.join(before, on=before.columns, how="semi", nulls_equal=True).height == before.height, table
            assert now.height == truth["rows"][table], (name, table)
        for table in ("feedback", "service_metrics", "funnel_metrics", "orders"):
            new = day.table(table).height - pl.read_parquet(day.folder.parent / "before" / table).height
            assert new > 0, table
            key = [*TABLES[table].key, *(["status"] if table == "orders" else [])]  # a refund is a newer version
            assert not day.table(table).select(key).is_duplicated().any(), table


def test_nothing_is_known_after_the_new_present(days: dict[str, Day]) -> None:
    for table in TABLES:
        latest = days["nothing"].table(table)["known_at"].max()
        assert isinstance(latest, datetime) and latest <= LATER, table


def test_without_an_act_failures_and_complaints_go_on(days: dict[str, Day]) -> None:
    assert days["nothing"].error_rate(0, 5) > 0.2
    assert days["nothing"].error_rate(18, 22) > 0.2
    assert days["nothing"].complaints(12, 23) > 10


@pytest.mark.parametrize(("state", "within"), [("halted", 5), ("rolled back", 3)])
def test_a_withdrawn_version_is_gone_within_hours_and_so_are_failures_and_complaints(
    days: dict[str, Day], state: str, within: int
) -> None:
    day = days[state]
    assert day.error_rate(within, 22) < 0.01
    assert day.complaints(within, 23) <= 2
    on_bad = int(day.android_checkout().filter(pl.col("bad"), pl.col("hour") > within)["requests"].sum())
    everything = int(day.android_checkout().filter(pl.col("hour") > within)["requests"].sum())
    assert everything > 100
    assert on_bad < 0.01 * everything
    orders = {
        name: one.table("orders").filter(pl.col("platform") == "android", pl.col("ordered_at") >= UNTIL).height
        for name, one in days.items()
    }
    assert orders[state] > 1.3 * orders["nothing"]


def test_the_other_platforms_are_as_they_would_have_been(days: dict[str, Day]) -> None:
    def elsewhere(day: Day) -> pl.DataFrame:
        rows = day.table("service_metrics").filter(pl.col("platform") == "web", pl.col("bucket_start") >= UNTIL)
        return rows.group_by("app_version").agg(pl.col("requests").sum()).sort("app_version")

    usual = elsewhere(days["nothing"])
    for state in ("halted", "rolled back"):
        assert elsewhere(days[state])["app_version"].to_list() == usual["app_version"].to_list()
        assert elsewhere(days[state])["requests"].sum() == pytest.approx(usual["requests"].sum(), rel=0.1)


def test_a_rollback_is_exported_as_a_deployment_and_a_halt_is_no_release(days: dict[str, Day]) -> None:
    def after(name: str) -> pl.DataFrame:
        return days[name].table("releases").filter(pl.col("deployed_at") >= UNTIL)

    (rollback,) = after("rolled back").to_dicts()
    assert (rollback["version"], rollback["platform"], rollback["owner"]) == (BEFORE, "android", "control-system")
    assert json.loads(rollback["attributes"])["task"] == "rollback"
    assert after("halted").is_empty() and after("nothing").is_empty()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("state", STATES)
def test_twelve_hours_twice_are_a_day(days: dict[str, Day], state: str, tmp_path: Path) -> None:
    write_shop(tmp_path, until=UNTIL, days=DAYS)
    for _ in range(2):
        play_on(tmp_path, HOURS // 2, STATES[state])
    assert files(tmp_path) == files(days[state].folder)


def test_people_update_again_once_it_is_undone_and_both_changes_are_told(tmp_path: Path) -> None:
    write_shop(tmp_path, until=UNTIL, days=DAYS)
    play_on(tmp_path, 12, control(version=BEFORE))
    play_on(tmp_path, 36, control())
    released = json.loads((tmp_path / "github" / "shop-android.releases.json").read_text())
    assert [(one["ref"], one["task"]) for one in released[:2]] == [(f"v{BAD}", "deploy"), (f"v{BEFORE}", "rollback")]
    played = Played(Story.ending(UNTIL, DAYS), (Stretch(12, control(version=BEFORE)), Stretch(36, control())))
    on_bad = [float(hour.share_of("android", BAD)[0]) for hour in played.hours]
    assert max(on_bad[6:12]) < 0.01
    assert on_bad[12:] == sorted(on_bad[12:])
    assert on_bad[-1] > 0.7


def test_a_flag_that_is_switched_off_is_exported_as_its_change(tmp_path: Path) -> None:
    write_shop(tmp_path, until=UNTIL, days=DAYS)
    off = copy.deepcopy(control())
    off["flags"]["new_search_ranking"]["enabled"] = False
    play_on(tmp_path, 6, off)
    last = json.loads((tmp_path / "flags" / "changes.json").read_text())[-1]
    assert (last["flag_key"], last["enabled"], last["actor"]) == ("new_search_ranking", False, "control-system")
    assert last["changed_at"] == "2026-11-23T00:00:00Z"


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"flags": {"unknown": {"enabled": False}}, "releases": {"windows": {"version": "1.0"}}},
        {"releases": {"android": {"version": "9.9.9"}}, "traffic": {"checkout": {"weights": {"stable": 1}}}},
    ],
)
def test_what_the_shop_does_not_know_changes_nothing(found: dict[str, Any]) -> None:
    story = Story.ending(UNTIL, DAYS)
    assert obeyed(story, found) == usual_control(story)

"""The simulated shop's files: same bytes for same arguments, readable by the real readers, nothing from the future."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest

from dagster_project import lake
from dagster_project.errors import ConfigurationError
from dagster_project.ingestion.contracts import TABLES
from dagster_project.simulation.shop.shop import write_shop
from tests.simulation.shop.shop_fixtures import UNTIL, LandedShop


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    first = write_shop(tmp_path / "one", until=UNTIL, days=21)
    second = write_shop(tmp_path / "two", until=UNTIL, days=21)
    assert _contents(tmp_path / "one") == _contents(tmp_path / "two")
    assert (first.rows, first.complaints) == (second.rows, second.complaints)


def test_another_seed_gives_another_shop_with_the_same_story(tmp_path: Path) -> None:
    first = write_shop(tmp_path / "one", until=UNTIL, days=21, seed=1)
    second = write_shop(tmp_path / "two", until=UNTIL, days=21, seed=2)
    one, two = _contents(tmp_path / "one"), _contents(tmp_path / "two")
    for name in (
        "zendesk/tickets_001.json",
        "telemetry/funnel.parquet",
        "telemetry/services.parquet",
        "shop/orders.csv.gz",
    ):
        assert one[name] != two[name]
    assert one["sources.yml"] == two["sources.yml"]
    assert first.planted == second.planted


def test_every_table_lands_whole_and_nothing_goes_to_quarantine(shop: LandedShop) -> None:
    assert shop.report.problems == []
    assert shop.report.quarantined == 0
    landed = {table: lake.scan(shop.home, table).collect().height for table in TABLES}
    assert landed == shop.truth.rows
    assert min(landed.values()) > 0


def test_every_reader_of_files_and_every_format_is_used(shop: LandedShop) -> None:
    text = shop.truth.sources.read_text(encoding="utf-8")
    for reader in ("google_play", "app_store", "zendesk", "nps", "github"):
        assert f"reader: {reader}" in text
    kinds = {"".join(path.suffixes[-2:]) for path in shop.truth.folder.rglob("*.*")}
    assert {".csv.gz", ".jsonl.gz", ".jsonl", ".parquet", ".json"} <= kinds
    play = next((shop.truth.folder / "google_play").iterdir()).read_bytes()
    assert play.startswith(b"\xff\xfe")


def test_nothing_is_known_after_the_present_or_before_it_happened(shop: LandedShop) -> None:
    happened = {
        "feedback": "occurred_at",
        "releases": "deployed_at",
        "flag_changes": "changed_at",
        "service_metrics": "bucket_start",
        "funnel_metrics": "bucket_start",
        "orders": "ordered_at",
    }
    for table in TABLES:
        rows = lake.scan(shop.home, table).collect()
        latest = rows["known_at"].max()
        assert isinstance(latest, datetime)
        assert latest <= UNTIL
        if table in happened:
            assert rows.filter(pl.col("known_at") < pl.col(happened[table])).is_empty(), table


def test_channels_are_heard_of_after_their_own_delay(shop: LandedShop) -> None:
    delay = shop.feedback.with_columns((pl.col("known_at") - pl.col("occurred_at")).alias("delay"))
    tickets = delay.filter(pl.col("channel") == "support_ticket")["delay"].max()
    reviews = delay.filter(pl.col("source") == "google_play")["delay"]
    assert tickets == timedelta(minutes=5)
    assert reviews.min() != reviews.max()
    assert reviews.to_list() == [delay for delay in reviews if delay <= timedelta(hours=6)]


def test_the_truth_names_every_piece_of_feedback_and_every_release(shop: LandedShop) -> None:
    with (shop.truth.folder / "truth_feedback.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["feedback_id"] for row in rows) == sorted(shop.table("feedback")["feedback_id"])
    truth = json.loads((shop.truth.folder / "truth.json").read_text(encoding="utf-8"))
    released = {row["release_id"]: row["version"] for row in shop.table("releases").iter_rows(named=True)}
    planted = {event["name"]: event for event in truth["planted"]}
    bad = planted["android_checkout"]
    assert released[bad["release_id"]] == bad["scope"]["app_version"] == "5.2.0"
    assert bad["expected_verdicts"] == ["regression"]
    assert planted["carrier_strike"]["release_id"] is None
    assert planted["sale"]["expect_issue"] is False
    guilty = {event["release_id"] for event in truth["planted"]} - {None}
    assert set(truth["innocent_releases"]) | guilty == set(released)
    assert truth["rows"] == shop.truth.rows
    assert sum(row["planted"] == "android_checkout" for row in rows) == bad["complaints"]


def test_writing_again_replaces_the_shop_and_leaves_other_files_alone(tmp_path: Path) -> None:
    write_shop(tmp_path, until=UNTIL - timedelta(days=90), days=21)
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    write_shop(tmp_path, until=UNTIL, days=21)
    months = sorted(path.name[-10:-4] for path in (tmp_path / "google_play").iterdir())
    assert months == ["202611"]
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_the_present_may_be_any_instant_in_any_zone(tmp_path: Path) -> None:
    local = datetime(2026, 11, 23, 16, 40, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    truth = write_shop(tmp_path, until=local, days=21)
    assert truth.until == datetime(2026, 11, 23, 11, tzinfo=UTC)
    with gzip.open(tmp_path / "shop" / "orders.csv.gz", "rt", encoding="utf-8") as file:
        assert max(row["known_at"] for row in csv.DictReader(file)) <= "2026-11-23T11:00:00Z"


@pytest.mark.parametrize(
    ("until", "days", "says"),
    [(datetime(2026, 11, 23), 56, "time zone"), (UNTIL, 7, "21 to 400"), (UNTIL, 4000, "21 to 400")],
)
def test_impossible_shops_are_refused_in_words(tmp_path: Path, until: datetime, days: int, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        write_shop(tmp_path, until=until, days=days)

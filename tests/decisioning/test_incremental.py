"""Incremental builds rebuild only what changed, and give the same rows as a build of everything."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.decisioning import incremental
from dagster_project.decisioning.dbt_build import build, run_dbt
from dagster_project.decisioning.decide import decide
from dagster_project.decisioning.incremental import plan, standing_since
from dagster_project.errors import DecisionError
from dagster_project.home import Home
from tests.decisioning.lake_builder import LakeBuilder, hours

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = START + timedelta(days=45)
MARTS = (
    "fct_feedback",
    "fct_issue_activity",
    "fct_issues",
    "fct_issue_severity_terms",
    "fct_release_correlation",
    "fct_release_terms",
    "fct_issue_lifecycle",
    "fct_issue_delay",
    "fct_issue_times",
    "fct_issue_days",
    "fct_orders_daily",
    "fct_funnel_daily",
    "fct_complaint_rates",
    "fct_release_complaints",
    "fct_issue_evidence",
    "fct_issue_facts",
    "fct_issue_quotes",
)


def history(lake: LakeBuilder) -> None:
    """Six weeks of a shop with telemetry, an early incident that is long over, and a bad release two days ago."""
    rng = random.Random(5)
    for at in hours(START, NOW, 1.0):
        where = {"platform": rng.choice(["android", "ios"]), "country": rng.choice(["DE", "FR"])}
        lake.complain(rng.choice(["praise", "praise", "app_crash", "checkout_failure"]), at, **where)
        requests = {"product": "app", "bucket_start": at, "known_at": at + timedelta(hours=1), "content_hash": "1"}
        lake.add("service_metrics", service="checkout", requests=1000, errors=rng.randint(2, 6), **requests)
        lake.add("funnel_metrics", step="visit", entered=400 + rng.randint(0, 50), completed=300, **requests)
        lake.add("funnel_metrics", step="checkout", entered=300, completed=200 + rng.randint(0, 20), **requests)
        order = {"order_id": f"o{at:%m%d%H}", "product": "app", "currency": "EUR", "customer_id": "c1"}
        lake.add(
            "orders", ordered_at=at, known_at=at, amount=rng.uniform(10, 50), status="paid", content_hash="1", **order
        )
    for at in hours(START + timedelta(days=15), START + timedelta(days=17), 0.5):
        lake.complain("shipping_delivery", at, country="DE", customer_id=f"c{rng.randint(1, 9)}")
    for version, day in (("1.0", 0), ("2.0", 43)):
        at = START + timedelta(days=day)
        lake.add(
            "releases",
            release_id=f"app@{version}",
            product="app",
            version=version,
            environment="production",
            deployed_at=at,
            known_at=at,
            content_hash="1",
        )
    for at in hours(START + timedelta(days=43, hours=3), NOW, 1.0):
        lake.complain("checkout_failure", at, platform="ios", app_version="2.0", customer_id="c2")
    for number in range(1, 10):
        lake.add("customers", customer_id=f"c{number}", segment="vip", lifetime_value=100.0, known_at=START)


def news(lake: LakeBuilder, now: datetime) -> None:
    """A few hours of everything, with late and corrected rows among them."""
    old = START + timedelta(days=16, hours=3)
    for at in hours(now, now + timedelta(hours=6), 0.25):
        lake.complain("checkout_failure", at, platform="ios", app_version="2.0")
    lake.complain("shipping_delivery", old, country="DE", known_at=now + timedelta(hours=1))  # three weeks late
    # Somebody says that the early incident was none: on this day it still stands, on the next its days are left out.
    incident = {"issue_id": "ISS-1", "product": "app", "issue_type": "shipping_delivery", "country": "DE"}
    days = {"excluded_from": START + timedelta(days=15), "excluded_until": START + timedelta(days=19)}
    lake.add("baseline_exclusions", **incident, **days, excluded=True, known_at=now)
    for later in (1, 26):
        lake.complain("shipping_delivery", now + timedelta(hours=later), country="DE")
        lake.complain("shipping_delivery", now + timedelta(hours=later), country="FR")
    corrected = next(row for row in lake.rows["feedback"] if row["known_at"] == now - timedelta(minutes=85))
    lake.add("feedback", **{**corrected, "text": "corrected", "known_at": now, "content_hash": "2"})
    relabelled = next(row for row in reversed(lake.rows["labels"]) if row["issue_type"] == "app_crash")
    lake.add("labels", **{**relabelled, "issue_type": "performance", "labeled_at": now, "model_version": "newer"})
    bucket = next(row for row in lake.rows["funnel_metrics"] if row["bucket_start"] == old.replace(minute=0))
    lake.add("funnel_metrics", **{**bucket, "entered": 900, "known_at": now, "content_hash": "2"})
    lake.add("orders", **{**lake.rows["orders"][-30], "amount": 999.0, "known_at": now, "content_hash": "2"})
    lake.add("customers", customer_id="c2", segment="basic", lifetime_value=5000.0, known_at=now)
    lake.add(
        "flag_changes",
        flag_key="fast_checkout",
        product="app",
        environment="production",
        changed_at=now - timedelta(days=3),
        enabled=True,
        known_at=now,
        content_hash="1",
    )


def differences(one: Home, other: Home) -> dict[str, int]:
    """Rows of each mart that are in only one of two warehouses."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{one.warehouse}' as one (read_only)")
        connection.execute(f"attach '{other.warehouse}' as other (read_only)")
        found = {}
        for mart in MARTS:
            pairs = (("one", "other"), ("other", "one"))
            query = " union all ".join(
                f"(from {here}.main.{mart} except all from {there}.main.{mart})" for here, there in pairs
            )
            rows = connection.execute(f"select count(*) from ({query})").fetchall()
            found[mart] = int(rows[0][0])
        (issues,) = connection.execute("select count(*) from one.main.fct_issues").fetchall()[0]
        assert issues >= 2  # the early incident and the bad release, or there is nothing to compare
    return found


@pytest.mark.long
def test_builds_that_follow_one_another_give_the_rows_of_one_build_of_everything(tmp_path: Path) -> None:
    grown, whole = Home(tmp_path / "grown"), Home(tmp_path / "whole")
    lake = LakeBuilder(grown)
    history(lake)
    lake.write()
    build(grown, as_of=NOW)
    # Time alone, then everything late and corrected, then time enough for the issues to be over.
    build(grown, as_of=NOW + timedelta(minutes=15))
    steady = plan(grown, NOW + timedelta(minutes=30))
    assert steady.rebuild_from is not None
    assert NOW - steady.rebuild_from < timedelta(days=5)
    news(lake, NOW + timedelta(minutes=30))
    lake.write()
    late = plan(grown, NOW + timedelta(hours=7))
    assert late.rebuild_from is not None
    assert late.rebuild_from < START + timedelta(days=16)  # the funnel of that day is another now
    for as_of in (NOW + timedelta(hours=7), NOW + timedelta(days=4)):
        build(grown, as_of=as_of)
    shutil.copytree(grown.lake, whole.lake)
    build(whole, as_of=NOW + timedelta(days=4))
    assert set(differences(grown, whole).values()) == {0}
    query = (
        "select scope_value, date_diff('day', ?, day) as nth, baseline_days, baseline_total from int_baseline"
        " where issue_type = 'shipping_delivery' and scope_value in ('DE', 'all') and nth in (45, 46) order by all"
    )
    with duckdb.connect(str(whole.warehouse), read_only=True) as connection:
        found = connection.execute(query, [START.replace(tzinfo=None)]).fetchall()
    assert [(scope, day, days) for scope, day, days, _ in found] == [
        ("DE", 45, 28.0),
        ("DE", 46, 23.0),
        ("all", 45, 28.0),
        ("all", 46, 23.0),
    ]
    assert all(after[3] < 0.5 * before[3] for before, after in (found[:2], found[2:]))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with one day of one product, built once."""
    home = Home(tmp_path_factory.mktemp("small"))
    lake = LakeBuilder(home)
    for at in hours(START, START + timedelta(days=1), 1.0):
        lake.complain("app_crash", at)
    lake.write()
    build(home, as_of=START + timedelta(days=1))
    return home


def test_everything_is_built_where_there_is_no_memory_or_it_does_not_fit(
    small: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = START + timedelta(days=1, hours=1)
    assert plan(small, later).rebuild_from == START - timedelta(days=2)
    assert plan(Home(tmp_path), later).rebuild_from is None
    assert plan(small, START).rebuild_from is None  # back in time
    playbook = tmp_path / "playbook.yml"
    playbook.write_text("another", encoding="utf-8")
    monkeypatch.setattr("dagster_project.home.PLAYBOOK", playbook)
    assert plan(small, later).rebuild_from is None


def test_a_published_decision_stands_until_something_new_is_known_or_an_hour_has_passed(
    small: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = START + timedelta(days=1)
    soon = built + timedelta(minutes=30)
    home = Home(shutil.copytree(small.root, tmp_path / "home"))
    said: list[str] = []
    first = decide(home, as_of=soon, progress=said.append)  # built, but not published, as after a kill
    assert said[0] == "nothing new is known: the decision of 00:00 UTC stands"
    written = home.published.stat().st_mtime_ns
    assert decide(home, as_of=soon) == first
    assert home.published.stat().st_mtime_ns == written
    home.published.write_bytes(b"no database")
    assert decide(home, as_of=soon) == first
    assert standing_since(home, built + timedelta(hours=1)) is None
    assert standing_since(home, built - timedelta(minutes=1)) is None

    def changed(table: str, **row: Any) -> datetime | None:
        added = LakeBuilder(home)
        added.add(table, known_at=built + timedelta(minutes=20), content_hash="1", **row)
        added.write()
        found = standing_since(home, soon)
        for file in (home.lake / table).glob("*/*.parquet"):
            if not (small.lake / file.relative_to(home.lake)).exists():
                file.unlink()
        return found

    release = {"release_id": "app@3.0", "product": "app", "environment": "production", "deployed_at": built}
    assert changed("releases", **release) is None
    event = {"event_id": "e1", "issue_id": "ISS-1", "kind": "status", "occurred_at": built}
    assert changed("ticket_events", **event) is None
    assert standing_since(home, soon) == built
    exported = home.outbound / "out_tickets.jsonl"
    whole = exported.read_bytes()
    for damage in (lambda: exported.write_bytes(b"\xff garbage"), exported.unlink):
        damage()
        decide(home, as_of=soon)
        assert exported.read_bytes() == whole
    playbook = tmp_path / "playbook.yml"
    playbook.write_text("another", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr("dagster_project.home.PLAYBOOK", playbook)
        assert standing_since(home, soon) is None
    assert standing_since(home, soon) == built
    home.marked("replay")
    assert standing_since(home, soon) is None


@pytest.mark.long
def test_in_dagster_nothing_is_made_while_the_decision_stands_and_a_part_is_made_by_name(
    small: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster import ExecuteInProcessResult, materialize

    from dagster_project.decisioning import assets
    from dagster_project.resources import HomeResource

    home = Home(shutil.copytree(small.root, tmp_path / "home"))
    monkeypatch.setattr(assets, "now", lambda: START + timedelta(days=1, minutes=30))

    def made(selection: list[str] | None = None) -> tuple[set[str], ExecuteInProcessResult]:
        resources = {"home": HomeResource(root=str(home.root))}
        result = materialize([assets.warehouse], resources=resources, selection=selection)
        events = result.get_asset_materialization_events()
        return {event.asset_key.path[-1] for event in events if event.asset_key}, result

    nothing, _ = made()
    assert nothing == set()
    assert home.published.exists()  # it stood, but was not published
    assert made(["fct_issue_times", "taxonomy"])[0] == {"fct_issue_times", "taxonomy"}
    everything, result = made()  # something else wrote the warehouse
    assert {"fct_issues", "out_tickets", "taxonomy"} < everything
    checks = result.get_asset_check_evaluations()
    assert len(checks) > 300
    assert all(check.passed for check in checks)
    # A test of several tables that names none for Dagster would be an observation, with a warning, and no check.
    assert not [event for event in result.all_events if event.event_type_value == "ASSET_OBSERVATION"]


def test_what_landed_before_but_was_not_known_yet_counts_when_it_becomes_known(small: Home) -> None:
    waiting = LakeBuilder(small)
    waiting.add(
        "releases",
        release_id="app@3.0",
        product="app",
        environment="production",
        deployed_at=START - timedelta(days=20),
        known_at=START + timedelta(days=2),
        content_hash="1",
    )
    waiting.write()
    unknown, known = (plan(small, START + timedelta(days=days)).rebuild_from for days in (1, 3))
    assert unknown == START - timedelta(days=2)
    assert known == START - timedelta(days=24)


def test_what_people_said_of_an_issue_is_followed_from_when_it_was_known(small: Home) -> None:
    said = LakeBuilder(small)
    said.add("baseline_exclusions", issue_id="ISS-1", excluded=True, known_at=START - timedelta(days=9))
    said.write()
    assert plan(small, START + timedelta(days=1, hours=1)).rebuild_from == START - timedelta(days=12)
    shutil.rmtree(small.lake / "baseline_exclusions" / "ingest_date=2026-02-20")


@pytest.mark.long
def test_after_a_build_that_failed_or_was_made_by_hand_everything_is_made_anew(small: Home) -> None:
    as_of = START + timedelta(days=2)
    assert plan(small, as_of).rebuild_from is not None
    with pytest.raises(DecisionError, match="nothing_of_that_name"):
        build(small, as_of=as_of, command=["run-operation", "nothing_of_that_name"])
    run_dbt(small, ["run", "--select", "int_complaints", "--vars", '{"as_of": "2026-03-01 06:00:00"}'])
    with duckdb.connect(str(small.warehouse)) as connection:
        connection.execute("create table fct_of_a_model_that_is_gone as select 1 as one")
    assert plan(small, as_of).rebuild_from is None
    build(small, as_of=as_of)
    assert plan(small, as_of).rebuild_from is not None
    with duckdb.connect(str(small.warehouse), read_only=True) as connection:
        (tables,) = connection.execute("select list(table_name) from duckdb_tables()").fetchall()[0]
        (tags,) = connection.execute("select tags from duckdb_databases() where not internal").fetchall()[0]
    assert "fct_issues" in tables and "fct_of_a_model_that_is_gone" not in tables
    assert tags["storage_version"].startswith("v1.0.0")  # any DuckDB since then opens the published copy


def test_a_changed_table_of_unknown_effect_is_a_reason_to_rebuild_everything(
    small: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = START + timedelta(days=2, hours=12)
    assert plan(small, later).rebuild_from is not None
    monkeypatch.setattr(incremental, "_KNOWN", incremental._KNOWN - {"campaigns"})
    assert plan(small, later).rebuild_from is not None
    campaign = LakeBuilder(small)
    campaign.add("campaigns", campaign_id="sale", product="app", started_at=later, known_at=later, content_hash="1")
    campaign.write()
    assert plan(small, later).rebuild_from is None


def test_a_file_that_was_taken_away_is_missed(small: Home) -> None:
    later = START + timedelta(days=3)
    assert plan(small, later).rebuild_from is not None
    next((small.lake / "labels").glob("ingest_date=2026*/*.parquet")).unlink()
    assert plan(small, later).rebuild_from is None


def test_a_day_of_orders_is_the_same_however_late_its_refunds_and_its_history_come(tmp_path: Path) -> None:
    grown, whole = Home(tmp_path / "grown"), Home(tmp_path / "whole")
    until = START + timedelta(days=100)
    orders = LakeBuilder(grown)
    for number, at in enumerate(hours(START, until, 24.0)):
        order = {"order_id": f"o{number}", "product": "app", "sku": "s", "currency": "EUR", "content_hash": "1"}
        orders.add("orders", ordered_at=at, known_at=at, amount=10.0, **order)
    orders.write()
    build(grown, as_of=until)

    later = LakeBuilder(grown)
    refund = {"refunded_at": until, "refund_amount": 4.0, "known_at": until + timedelta(hours=1), "content_hash": "2"}
    later.add("orders", **{**orders.rows["orders"][1], **refund})  # of an order whose day is long settled
    later.add("orders", **{**orders.rows["orders"][80], "amount": 11.0, "known_at": until, "content_hash": "2"})
    later.write()
    usual = plan(grown, until + timedelta(hours=2)).rebuild_from
    assert usual is not None and usual > until - timedelta(days=5)
    build(grown, as_of=until + timedelta(hours=2))

    history = LakeBuilder(grown)
    old = {"order_id": "old", "ordered_at": START + timedelta(days=2), "known_at": until + timedelta(hours=3)}
    history.add("orders", **{**orders.rows["orders"][0], **old})
    history.write()
    back = plan(grown, until + timedelta(hours=4)).rebuild_from
    assert back is not None and back < START + timedelta(days=2)
    build(grown, as_of=until + timedelta(hours=4))

    shutil.copytree(grown.lake, whole.lake)
    build(whole, as_of=until + timedelta(hours=4))
    days = [
        dict(_rows(home, "select day, (orders, revenue, refunds, refunded) from fct_orders_daily"))
        for home in (grown, whole)
    ]
    assert days[0] == days[1]
    found = {day: days[0][(START + timedelta(days=day)).replace(tzinfo=None)] for day in (1, 2, 80, 100)}
    assert found == {1: (1, 10.0, 0, 0.0), 2: (2, 20.0, 0, 0.0), 80: (1, 11.0, 0, 0.0), 100: (0, 0.0, 1, 4.0)}


def _rows(home: Home, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        return connection.execute(query).fetchall()

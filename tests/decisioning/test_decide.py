"""From labelled feedback to issues, through the real dbt and the real DuckDB."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.decisioning.decide import decide
from dagster_project.decisioning.explain import explain, queue
from dagster_project.errors import ConfigurationError, DecisionError
from dagster_project.home import Home
from tests.decisioning.lake_builder import LakeBuilder, hours

START = datetime(2026, 3, 1, tzinfo=UTC)
RELEASED = START + timedelta(days=40)
AS_OF = RELEASED + timedelta(days=2)


def background(lake: LakeBuilder, product: str = "app") -> None:
    """Six weeks of an ordinary product: praise every hour, one crash and one late parcel a day."""
    for at in hours(START, AS_OF, 1.0):
        version = "2.0" if at >= RELEASED else "1.9"
        lake.complain("praise", at, product=product, platform="android", country="DE", app_version=version)
    for at in hours(START, AS_OF, 24.0):
        lake.complain("app_crash", at, product=product, platform="android", country="DE", app_version="1.9")
        lake.complain("shipping_delivery", at + timedelta(hours=3), product=product, platform="web", country="FR")


def release(lake: LakeBuilder, product: str = "app") -> None:
    for version, at in (("1.9", START), ("2.0", RELEASED)):
        lake.add(
            "releases",
            release_id=f"{product}@{version}",
            product=product,
            version=version,
            environment="production",
            deployed_at=at,
            platform="android",
            known_at=at,
            content_hash="1",
        )


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One world decided once: a bad release and a delivery problem in `app`, and a quiet product beside it."""
    home = Home(tmp_path_factory.mktemp("decided"))
    lake = LakeBuilder(home)
    background(lake)
    release(lake)
    for at in hours(RELEASED + timedelta(hours=2), AS_OF, 1.5):
        lake.complain("app_crash", at, platform="android", country="DE", app_version="2.0")
    for at in hours(AS_OF - timedelta(days=1), AS_OF, 0.6):
        lake.complain("shipping_delivery", at, platform="web", country="GB", channel="support_ticket")
    background(lake, product="quiet")
    release(lake, product="quiet")
    lake.write()
    decide(home, as_of=AS_OF)
    return home


def by_type(home: Home) -> dict[str, dict[str, Any]]:
    return {row["issue_type"]: row for row in queue(home)}


def test_a_bad_release_is_found_and_named(decided: Home) -> None:
    crash = by_type(decided)["app_crash"]
    assert (crash["verdict"], crash["suspect_version"]) == ("regression", "2.0")
    assert RELEASED <= crash["detected_at"].replace(tzinfo=UTC) <= RELEASED + timedelta(hours=24)


def test_a_delivery_problem_in_one_country_is_not_blamed_on_the_release(decided: Home) -> None:
    late = by_type(decided)["shipping_delivery"]
    assert (late["scope_country"], late["suspect_release_id"]) == ("GB", None)
    assert late["verdict"] == "no_regression"


def test_a_quiet_product_has_no_issue(decided: Home) -> None:
    assert {row["product"] for row in queue(decided, include_resolved=True)} == {"app"}


def test_severity_is_the_sum_of_its_terms(decided: Home) -> None:
    for row in queue(decided):
        terms = explain(decided, row["issue_id"]).severity_terms
        assert sum(term["points"] for term in terms) == pytest.approx(row["severity_score"])


def test_an_explanation_names_the_release_in_the_text(decided: Home) -> None:
    crash = by_type(decided)["app_crash"]
    text = explain(decided, crash["issue_id"][:9].lower()).as_text()
    assert "app@2.0" in text
    assert crash["summary"] in text


def test_an_unknown_issue_says_which_ones_there_are(decided: Home) -> None:
    with pytest.raises(ConfigurationError, match=by_type(decided)["app_crash"]["issue_id"]):
        explain(decided, "ISS-NOPE")


def test_deciding_twice_gives_byte_equal_outbound_rows(decided: Home) -> None:
    exported = decided.outbound / "out_tickets.jsonl"
    first = exported.read_bytes()
    decide(decided, as_of=AS_OF)
    assert exported.read_bytes() == first
    assert all(json.loads(line)["as_of"] == "2026-04-12T00:00:00Z" for line in first.decode().splitlines())


def test_a_reader_of_the_published_copy_survives_the_swap(decided: Home) -> None:
    with duckdb.connect(str(decided.published), read_only=True) as reader:
        before = reader.execute("select count(*) from fct_issues").fetchone()
        decide(decided, as_of=AS_OF)
        assert reader.execute("select count(*) from fct_issues").fetchone() == before


def test_nothing_known_after_the_as_of_instant_is_used(decided: Home, tmp_path: Path) -> None:
    # The same world with the future cut off must give the same decisions as the whole world seen from then.
    cut = RELEASED + timedelta(hours=30)
    decide(decided, as_of=cut)
    whole = (decided.outbound / "out_tickets.jsonl").read_bytes()
    known = Home(tmp_path)
    lake = LakeBuilder(known)
    background(lake)
    release(lake)
    for at in hours(RELEASED + timedelta(hours=2), AS_OF, 1.5):
        lake.complain("app_crash", at, platform="android", country="DE", app_version="2.0")
    for at in hours(AS_OF - timedelta(days=1), AS_OF, 0.6):
        lake.complain("shipping_delivery", at, platform="web", country="GB", channel="support_ticket")
    background(lake, product="quiet")
    release(lake, product="quiet")
    for table in lake.rows:
        lake.rows[table] = [row for row in lake.rows[table] if as_instant(row["known_at"]) <= cut]
    lake.write()
    decide(known, as_of=cut)
    decide(decided, as_of=AS_OF)
    assert (known.outbound / "out_tickets.jsonl").read_bytes() == whole


def as_instant(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value


def test_issue_ids_stay_the_same_as_time_goes_on(decided: Home) -> None:
    earlier = RELEASED + timedelta(hours=36)
    decide(decided, as_of=earlier)
    then = {row["issue_id"] for row in queue(decided)}
    decide(decided, as_of=AS_OF)
    assert then
    assert then <= {row["issue_id"] for row in queue(decided, include_resolved=True)}


def test_an_issue_is_over_after_its_quiet_hours(decided: Home) -> None:
    decide(decided, as_of=AS_OF + timedelta(days=5))
    statuses = {row["issue_type"]: row["status"] for row in queue(decided, include_resolved=True)}
    decide(decided, as_of=AS_OF)
    assert statuses == {"app_crash": "resolved", "shipping_delivery": "resolved"}


def test_a_history_loaded_at_once_is_not_a_storm(tmp_path: Path) -> None:
    home = Home(tmp_path)
    lake = LakeBuilder(home)
    for at in hours(START, AS_OF, 6.0):
        lake.complain("app_crash", at, known_at=AS_OF - timedelta(hours=1))
    lake.write()
    decide(home, as_of=AS_OF)
    assert queue(home, include_resolved=True) == []


def test_an_empty_lake_decides_nothing_and_does_not_fail(tmp_path: Path) -> None:
    home = Home(tmp_path)
    LakeBuilder(home).write()
    report = decide(home, as_of=AS_OF)
    assert (report.issues_open, report.outbound) == (0, {"out_tickets": 0})


def test_a_failing_build_names_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    LakeBuilder(home).write()
    for path in (home.lake / "orders").rglob("*.parquet"):
        path.write_bytes(b"not parquet")
    with pytest.raises(DecisionError, match="orders"):
        decide(home, as_of=AS_OF)

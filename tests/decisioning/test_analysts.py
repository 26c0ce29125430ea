"""The thirteen questions of docs/analysts.md, asked of the published copy of a shop of which the answer is known."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest

from dagster_project.decisioning.decide import decide
from dagster_project.decisioning.published import read_mart
from dagster_project.home import REPOSITORY, Home
from tests.decisioning.analysts_world import AMOUNT, FIRST, FIXED, RELEASED, STRIKES, UNTIL, acts, world

Row = dict[str, Any]
QUESTIONS = dict(
    re.findall(
        r"^## (\d+)\..*?```sql\n(.*?)```",
        (REPOSITORY / "docs" / "analysts.md").read_text(encoding="utf-8"),
        re.S | re.M,
    )
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """That shop, decided before and after people did something about its issues."""
    home = Home(tmp_path_factory.mktemp("analysts") / "home").marked("replay")
    world(home).write()
    decide(home, as_of=UNTIL)
    issues = read_mart(home, "fct_issues", ["issue_id", "issue_type", "detected_at"]).sort("detected_at")
    strike, _, checkout = issues.to_dicts()
    assert (strike["issue_type"], checkout["issue_type"]) == ("shipping_delivery", "checkout_failure")
    detected_at = checkout["detected_at"].replace(tzinfo=UTC)
    acts(home, checkout["issue_id"], strike["issue_id"], detected_at).write()
    decide(home, as_of=UNTIL + timedelta(minutes=15))
    return home


def asked(home: Home, number: str) -> list[Row]:
    return select(home, QUESTIONS[number])


def select(home: Home, query: str) -> list[Row]:
    with duckdb.connect(str(home.published), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        rows: pl.DataFrame = connection.sql(query).pl()
    return rows.to_dicts()


def naive(instant: datetime) -> datetime:
    """The instant as the warehouse has it: UTC, without saying so."""
    return instant.replace(tzinfo=None)


def clocks(home: Home) -> Row:
    (row,) = read_mart(home, "fct_issue_lifecycle", where={"issue_type": "checkout_failure"}).to_dicts()
    return row


def test_there_are_thirteen_questions() -> None:
    assert list(QUESTIONS) == [str(number) for number in range(1, 14)]


def test_1_the_issues_that_cost_most_are_of_this_quarter_and_their_parts_add_up(home: Home) -> None:
    checkout, strike = asked(home, "1")
    assert (checkout["issue_title"], strike["issue_title"]) == ("Checkout failing", "Delivery failing")
    for row in (checkout, strike):
        parts = row["lost_conversion_value"] + row["refund_value"] + row["churn_value"]
        assert row["revenue_at_risk"] == pytest.approx(parts, abs=0.001)
    # 40 customers an hour for 40 hours; every 80th completion is an order. 80 people of 100 each, of whom 10 % leave.
    assert checkout["lost_conversion_value"] == pytest.approx(40 * 40 / 80 * AMOUNT, rel=0.001)
    assert checkout["churn_value"] == 80 * 100 * 0.1


def test_2_waiting_cost_what_was_lost_between_the_third_complaint_and_the_first_act(home: Home) -> None:
    rows = asked(home, "2")
    (checkout,) = (row for row in rows if row["issue_type"] == "checkout_failure")
    row = clocks(home)
    # Three complaints and the failing checkout suffice; the act was in force 65 minutes after the detection.
    assert row["first_complaint_at"] == naive(FIRST)
    assert naive(FIRST) < row["could_have_known_at"] <= naive(FIRST + timedelta(hours=1, minutes=30))
    assert row["detected_at"] >= row["could_have_known_at"] + timedelta(hours=7)
    waited = (row["in_force_at"] - row["could_have_known_at"]) / timedelta(hours=1)
    assert checkout["hours_waited"] == pytest.approx(waited, abs=0.001)
    # A bucket of an hour, 40 of whose customers were lost, belongs to the phase in which it begins.
    assert abs(checkout["failed_attempts"] - 40 * waited) <= 41
    assert abs(int(checkout["complaints"]) - 2 * waited) <= 2
    assert checkout["lost_value"] == pytest.approx(checkout["failed_attempts"] / 80 * AMOUNT, rel=0.001)


def test_2_phases_tile_the_issue_and_their_sums_are_its_own(home: Home) -> None:
    delay = read_mart(home, "fct_issue_delay").sort("issue_id", "phase_number")
    sums = dict(delay.group_by("issue_id").agg(pl.sum("complaints")).iter_rows())
    issues = read_mart(home, "fct_issues", ["issue_id", "feedback_count", "customers_affected"])
    assert sums == dict(issues.select("issue_id", "feedback_count").iter_rows())
    people = dict(delay.group_by("issue_id").agg(pl.sum("customers")).iter_rows())
    assert people == dict(issues.select("issue_id", "customers_affected").iter_rows())
    before = pl.col("ended_at").shift().over("issue_id")
    assert delay.filter(before.is_not_null() & (before != pl.col("started_at"))).is_empty()
    assert delay.filter(issue_type="checkout_failure")["phase"].to_list() == [
        *("to_know", "to_detect", "to_ticket", "to_plan", "to_touch", "to_approve", "to_force", "to_verify"),
        *("to_fix", "to_usual"),
    ]


def test_3_the_release_with_most_complaints_is_the_bad_one_by_its_share_too(home: Home) -> None:
    first, *others = asked(home, "3")
    assert (first["version"], first["issues_blamed"], first["complaints"]) == ("2.0", 1, 80)
    assert first["complaint_share"] > 10 * max(row["complaint_share"] or 0 for row in others)


def test_4_complaints_per_thousand_sessions_are_known_by_platform_and_week(home: Home) -> None:
    rates = {(row["platform"], row["week"]): row for row in asked(home, "4")}
    week = datetime(2026, 4, 6)
    ordinary, bad = rates["android", datetime(2026, 3, 9)], rates["android", week]
    assert (ordinary["complaints"], ordinary["visits"]) == (7, 500 * 24 * 7)
    assert ordinary["complaints_per_1000_visits"] == pytest.approx(7 / 84, abs=0.001)
    assert (bad["complaints"], bad["complaints_per_1000_visits"]) == (87, pytest.approx(87 / 84, abs=0.001))
    assert rates["ios", week]["complaints"] == 0


def test_5_the_term_that_drove_a_p1_has_most_points(home: Home) -> None:
    (row,) = asked(home, "5")
    assert row["issue_title"] == "Checkout failing"
    terms = read_mart(home, "fct_issue_severity_terms", where={"issue_id": row["issue_id"]})
    assert row["points"] == terms["points"].max()


def test_6_every_issue_says_whether_its_fix_helped(home: Home) -> None:
    rows = asked(home, "6")
    assert {row["issue_id"] for row in rows} == set(read_mart(home, "fct_issues", ["issue_id"])["issue_id"])
    (checkout,) = (
        row for row in rows if (row["issue_id"], row["measure"]) == (clocks(home)["issue_id"], "failed_attempts")
    )
    assert checkout["answer"] in {"fewer", "not_distinguishable", "too_few_placebos", "too_early"}


def test_7_times_are_known_by_month_and_the_fix_is_not_the_end_of_silence(home: Home) -> None:
    april = {row["clock"]: row for row in asked(home, "7") if row["month"] == "2026-04"}
    row = clocks(home)
    mitigated = (row["in_force_at"] - row["started_at"]) / timedelta(minutes=1)
    assert april["to_mitigate"]["median_minutes"] == pytest.approx(mitigated, abs=0.01)
    assert row["fixed_at"] == naive(FIXED)
    assert april["to_fix"]["median_minutes"] == 60 * 40
    assert april["to_usual"]["issues"] == 2
    assert abs(row["usual_again_at"] - naive(FIXED)) <= timedelta(hours=6)


def test_8_the_act_that_did_nothing_is_the_wrong_one(home: Home) -> None:
    (row,) = asked(home, "8")
    assert (row["mitigation"], row["effect"], row["plan_state"]) == ("fall_back", "ineffective", "undone")


def test_9_the_revenue_at_risk_grows_by_the_day_and_ends_at_that_of_the_issue(home: Home) -> None:
    rows = [row for row in asked(home, "9") if row["issue_id"] == clocks(home)["issue_id"]]
    assert rows[0]["day"] == naive(RELEASED).replace(hour=0)
    # 15 hours of the first day: from 09:00, a complaint each half hour from 09:20, and the one a day that is usual.
    assert rows[0]["complaints"] == 31
    assert rows[0]["lost_conversion_so_far"] == pytest.approx(15 * 40 / 80 * AMOUNT, rel=0.001)
    (issue,) = read_mart(home, "fct_issues", where={"issue_type": "checkout_failure"}).to_dicts()
    assert rows[-1]["revenue_at_risk_so_far"] == issue["revenue_at_risk"]
    assert sum(row["complaints"] for row in rows) == issue["feedback_count"]


def test_10_refunds_rose_fivefold_with_the_second_strike(home: Home) -> None:
    first, *_ = asked(home, "10")
    assert (first["issue_type"], first["refunded_a_day_before"], first["refunded_a_day_after"]) == (
        "shipping_delivery",
        AMOUNT,
        5 * AMOUNT,
    )


def test_11_the_delivery_problem_came_back(home: Home) -> None:
    (row,) = asked(home, "11")
    found = (row["issue_type"], row["issues"], row["first_began_at"], row["last_began_at"])
    assert found == ("shipping_delivery", 2, *map(naive, STRIKES))


def test_12_people_confirmed_one_and_rejected_one(home: Home) -> None:
    shares = {row["issue_type"]: row["share_right"] for row in asked(home, "12")}
    assert shares == {"checkout_failure": 1.0, "shipping_delivery": 0.0}


def test_13_what_came_back_and_what_cost_more_than_a_fix_goes_on_the_next_train(home: Home) -> None:
    rows = asked(home, "13")
    found = {row["issue_type"]: (row["recommendation"], row["reason"], row["episodes"]) for row in rows}
    assert found["shipping_delivery"] == ("next_train", "comes_back", 2)
    assert found["checkout_failure"] == ("next_train", "costs_more_than_a_fix", 1)
    costs = {row["issue_type"]: row["lost_value"] for row in rows}
    (issue,) = read_mart(home, "fct_issues", where={"issue_type": "checkout_failure"}).to_dicts()
    assert costs["checkout_failure"] == issue["revenue_at_risk"]  # the issue lies within the window
    assert [row["roadmap_rank"] for row in rows] == list(range(1, len(rows) + 1))


def test_13_every_complaint_of_the_window_is_counted_once(home: Home) -> None:
    (row,) = select(
        home,
        "select count(*) as complaints from fct_feedback inner join taxonomy using (issue_type)"
        " where is_counted and actionable"
        " and counted_at > timestamp '2026-03-19 00:15:00' and counted_at <= timestamp '2026-04-16 00:15:00'",
    )
    until = UNTIL + timedelta(minutes=15)
    assert naive(until) == datetime(2026, 4, 16, 0, 15)
    assert sum(row["complaints"] for row in asked(home, "13")) == row["complaints"] > 80


def test_every_mart_of_the_published_copy_says_what_it_is_and_what_its_columns_are(home: Home) -> None:
    bare = select(
        home,
        "select table_name, column_name from duckdb_columns() where schema_name = 'main'"
        " and (starts_with(table_name, 'fct_') or starts_with(table_name, 'out_')) and coalesce(comment, '') = ''"
        " union all select table_name, null from duckdb_tables() where schema_name = 'main'"
        " and (starts_with(table_name, 'fct_') or starts_with(table_name, 'out_')) and coalesce(comment, '') = ''",
    )
    assert bare == []

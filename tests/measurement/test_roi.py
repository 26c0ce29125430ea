"""Return on investment: sums by each dimension are those of the rows, intervals in quadrature."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.home import Home
from dagster_project.measurement.roi import DIMENSIONS, RUNNING, read_roi, summed
from tests.measurement.roi_marts import APRIL, MARCH, issue, publish, row, running

ISSUES = [
    issue("a", "shop", MARCH, 68.0, 40.0, 92.0, release_cohort="2.0"),
    issue("b", "shop", APRIL, 30.0, 9.0, 50.0, release_cohort="2.1", issue_type="login_account"),
    issue("c", "app", APRIL, 0.0, 0.0, 0.0, not_attributed_value=70.0, cost_wrong_acts=400.0, wrong_acts=1),
]
RUNNING_ROWS = [running("shop", MARCH, 250.0), running("shop", APRIL, 100.0)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return publish(Home(tmp_path / "home"), ISSUES, RUNNING_ROWS)


def test_a_product_is_the_sum_of_its_rows_with_intervals_in_quadrature(home: Home) -> None:
    shop = {row["product"]: row for row in read_roi(home).roi}["shop"]
    # below: sqrt(28^2 + 21^2) = 35; above: sqrt(24^2 + 20^2) = 31.24; cost: 2 x 320 + 350 = 990
    assert (shop["issues"], shop["tickets"]) == (2, 2)
    assert (shop["benefit"], shop["benefit_low"], shop["benefit_high"]) == (98.0, 63.0, 129.24)
    assert (shop["cost_engineering"], shop["cost_running"], shop["cost"]) == (640.0, 350.0, 990.0)
    assert (shop["net"], shop["net_low"], shop["net_high"]) == (-892.0, -927.0, -860.76)
    assert (shop["ratio"], shop["ratio_low"], shop["ratio_high"]) == (0.1, 0.06, 0.13)


@pytest.mark.parametrize("by", DIMENSIONS)
def test_every_dimension_adds_up_to_the_same_total(home: Home, by: str) -> None:
    found = read_roi(home, by=by)
    assert found.total == read_roi(home).total
    for name in ("issues", "tickets", "wrong_acts", "benefit", "cost_running", "cost", "net", "not_attributed_value"):
        assert sum(row[name] for row in found.roi) == pytest.approx(found.total[name]), name
    assert found.total["not_attributed_value"] == 70.0


def test_the_running_cost_is_no_issue_type(home: Home) -> None:
    types = {row["issue_type"]: row for row in read_roi(home, by="type").roi}
    assert types[RUNNING]["cost"] == 350.0
    assert types[RUNNING]["issues"] == 0
    assert types["login_account"]["benefit"] == 30.0


def test_months_before_since_do_not_count(home: Home) -> None:
    found = read_roi(home, since=datetime(2026, 4, 17, tzinfo=UTC))
    assert found.total["benefit"] == 30.0
    assert found.total["cost_running"] == 100.0
    assert found.answers == {"fewer": 1, "too_few_placebos": 1}
    assert found.dora == []


def test_without_cost_there_is_no_ratio() -> None:
    free = row(issue("a", "shop", MARCH, 68.0, 40.0, 92.0) | {"cost": 0.0, "cost_engineering": 0.0})
    found = summed(pl.DataFrame([free]), ["product"]).row(0, named=True)
    assert (found["ratio"], found["ratio_low"], found["net"]) == (None, None, 68.0)


MONEY = st.integers(-10_000_000, 10_000_000).map(lambda cents: cents / 100)
WIDTH = st.integers(0, 1_000_000).map(lambda cents: cents / 100)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), MONEY, WIDTH, WIDTH), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_sums_of_sums_are_sums_whatever_the_order(
    rows: list[tuple[str, str, float, float, float]], random: object
) -> None:
    made = [
        row(issue("i", product, MARCH, money, money - below, money + above, release_cohort=cohort))
        for product, cohort, money, below, above in rows
    ]
    total = summed(pl.DataFrame(made), []).row(0, named=True)
    random.shuffle(made)  # type: ignore[attr-defined]
    assert summed(pl.DataFrame(made), []).row(0, named=True) == total
    by_product = summed(pl.DataFrame(made), ["product"])
    assert by_product["benefit"].sum() == pytest.approx(total["benefit"], abs=0.01)
    assert by_product["cost"].sum() == pytest.approx(total["cost"], abs=0.01)
    below = math.sqrt(sum(width**2 for *_, width, _ in rows))
    assert total["benefit"] - total["benefit_low"] == pytest.approx(below, abs=0.02)
    assert total["benefit_low"] <= total["benefit"] <= total["benefit_high"]

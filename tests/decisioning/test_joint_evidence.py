"""Complaints and telemetry together: two people and a failing service open an issue, and neither does alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dagster_project.decisioning.decide import decide
from dagster_project.decisioning.published import read_mart
from dagster_project.home import Home
from tests.decisioning.lake_builder import LakeBuilder, hours

START = datetime(2026, 3, 1, tzinfo=UTC)
FAILED = START + timedelta(days=20, hours=10)
"""From this bucket on a service fails."""
SAID = FAILED + timedelta(hours=1, minutes=10)
TICK = SAID + timedelta(minutes=5)
"""Feedback is known five minutes after it was said, and counted at the next quarter of an hour."""
AS_OF = TICK + timedelta(hours=8)
ANN, BEN = "c1", "c2"


@dataclass(frozen=True)
class Case:
    """A product: who cannot check out, which service fails, and how late its telemetry is from then on."""

    people: Sequence[str] = (ANN, BEN)
    failing: str | None = "checkout-api"
    late: timedelta = timedelta(0)


CASES = {
    "joint": Case(),
    "one_complaint": Case(people=(ANN,)),
    "one_person": Case(people=(ANN, ANN)),
    "silent_service": Case(failing=None),
    "other_service": Case(failing="search-api"),
    "late_telemetry": Case(late=timedelta(hours=3)),
}


def write(lake: LakeBuilder, product: str, case: Case) -> None:
    """Three ordinary weeks of a product, and then its case; a service that does not fail goes on as before."""
    for at in hours(START, AS_OF, 4.0):
        lake.complain("praise", at, product=product)
    for service in ("checkout-api", "search-api") if case.failing else ():
        for at in hours(START, AS_OF, 1.0):
            failed = at >= FAILED
            lake.add(
                "service_metrics",
                product=product,
                service=service,
                bucket_start=at,
                requests=1_000,
                errors=300 if failed and service == case.failing else 10,
                known_at=at + timedelta(hours=1, minutes=5) + (case.late if failed else timedelta(0)),
                content_hash="1",
            )
    for number, person in enumerate(case.people):
        at = SAID - timedelta(minutes=number)
        lake.complain("checkout_failure", at, product=product, channel="support_ticket", customer_id=person)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """All cases side by side, decided once."""
    home = Home(tmp_path_factory.mktemp("joint")).marked("replay")
    lake = LakeBuilder(home)
    for product, case in CASES.items():
        write(lake, product, case)
    lake.write()
    decide(home, as_of=AS_OF)
    return home


@pytest.fixture(scope="module")
def issues(home: Home) -> dict[str, dict[str, Any]]:
    """The issues by product; none has two."""
    rows = read_mart(home, "fct_issues").to_dicts()
    assert {row["issue_type"] for row in rows} <= {"checkout_failure"}
    assert len({row["product"] for row in rows}) == len(rows)
    return {row["product"]: row for row in rows}


def test_two_people_and_a_failing_service_open_an_issue_at_that_tick(issues: dict[str, dict[str, Any]]) -> None:
    issue = issues["joint"]
    assert issue["detected_at"].replace(tzinfo=UTC) == TICK
    # People come first: two are not many, so telemetry alone makes nothing urgent of it.
    assert (issue["feedback_count"], issue["priority"]) == (2, "P3")


@pytest.mark.parametrize("product", ["one_complaint", "one_person"])
def test_one_person_opens_no_issue_whatever_telemetry_says(issues: dict[str, dict[str, Any]], product: str) -> None:
    assert product not in issues


def test_two_complaints_without_telemetry_open_no_issue(issues: dict[str, dict[str, Any]]) -> None:
    assert "silent_service" not in issues


def test_a_service_that_the_complaints_are_not_about_opens_no_issue(issues: dict[str, dict[str, Any]]) -> None:
    assert "other_service" not in issues


def test_telemetry_three_hours_late_opens_the_issue_at_the_first_look_that_knows_it(
    issues: dict[str, dict[str, Any]],
) -> None:
    # Looks are 1, 2, 4 and 8 hours after the complaints; the failing bucket is known three hours after them.
    assert issues["late_telemetry"]["detected_at"].replace(tzinfo=UTC) == TICK + timedelta(hours=4)


def test_the_signals_that_opened_an_issue_are_its_complaints_and_errors(
    home: Home, issues: dict[str, dict[str, Any]]
) -> None:
    rows = read_mart(home, "fct_issue_signals", where={"issue_id": issues["joint"]["issue_id"]}).to_dicts()
    complaints, errors = sorted(rows, key=lambda row: str(row["signal"]))
    assert (complaints["signal"], complaints["amount"]) == ("complaints", 2.0)
    assert (errors["signal"], errors["measure"], errors["trials"]) == ("errors", "checkout-api", 24_000.0)
    # 23 hours of ten errors and one of 300; usually 1 %, and half an error for the days of the baseline.
    assert errors["amount"] == 530.0
    assert errors["expected"] == pytest.approx(240.0, rel=0.01)
    assert min(complaints["log_e_value"], errors["log_e_value"]) > 0

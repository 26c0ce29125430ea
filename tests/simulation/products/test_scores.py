from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from benchmarks.product_scores import Sighting, half_of, score, sums, table
from dagster_project.simulation.products import Truth, catalogue

ONSET = datetime(2026, 5, 15, 12, tzinfo=UTC)
QUIET = Truth("plain_01", 1, "shop", ONSET - timedelta(days=10), ONSET + timedelta(days=20), 900, ("a", "b"))
BROKEN = replace(
    QUIET, issue_type="payment_failure", accepted=("billing_subscription",), onset=ONSET, cause_kind="release",
    cause_id="guilty", complaints=tuple(ONSET + timedelta(hours=hour) for hour in range(48)),
)  # fmt: skip


def seen(hours: float, **fields: object) -> Sighting:
    """An issue detected five hours after the onset, as of some hours after it."""
    usual = Sighting(
        ONSET + timedelta(hours=hours), "I1", "payment_failure", "P2", "inconclusive", "", False,
        ONSET + timedelta(hours=5), ONSET - timedelta(hours=3),
    )  # fmt: skip
    return replace(usual, **fields)  # type: ignore[arg-type]


def test_found_in_time_with_the_right_change() -> None:
    result = score(BROKEN, [seen(6), seen(60, verdict="regression", suspect="guilty", rollback_supported=True)])
    assert (result.found, result.hours, result.complaints, result.named) == (True, 5.0, 6, "right")
    assert result.onset_off == -3.0
    assert result.rollback_right
    assert not (result.rollbacks_wrong or result.alarms_false or result.alarms_beside or result.cleared_wrongly)


def test_the_change_is_asked_for_two_days_after_detection() -> None:
    looks = [seen(6, suspect="a"), seen(54, suspect="guilty"), seen(99, suspect="b")]
    assert score(BROKEN, looks).named == "right"
    assert score(BROKEN, looks[:1]).named == "wrong"


def test_a_neighbouring_type_counts_as_found_and_another_type_as_an_alarm_beside() -> None:
    near, other = seen(6, issue_type="billing_subscription"), seen(6, issue_id="I2", issue_type="app_crash")
    result = score(BROKEN, [near, other])
    assert (result.found_as, result.alarms_beside, result.alarms_false) == (
        "billing_subscription", ("app_crash P2",), (),
    )  # fmt: skip


def test_too_late_or_too_early_is_not_found() -> None:
    for hours in (-1, 24 * 8):
        assert not score(BROKEN, [seen(300, detected_at=ONSET + timedelta(hours=hours))]).found


def test_a_failure_without_a_change_wants_nobody_blamed() -> None:
    outage = replace(BROKEN, cause_kind="third_party", cause_id="")
    assert score(outage, [seen(60)]).named == "right"
    assert score(outage, [seen(60, suspect="a")]).named == "wrong"


def test_a_rollback_of_an_innocent_change_is_wrong_whenever_it_was_supported() -> None:
    looks = [seen(6, suspect="a", rollback_supported=True), seen(60, suspect="guilty")]
    assert score(BROKEN, looks).rollbacks_wrong == ("a",)


def test_clearing_the_guilty_change_is_wrong() -> None:
    assert score(BROKEN, [seen(60, verdict="no_regression")]).cleared_wrongly


def test_a_flag_is_known_by_its_key() -> None:
    flag = replace(BROKEN, cause_kind="flag", cause_id="shop.wishlist")
    assert score(flag, [seen(60, suspect="shop.wishlist@2026-05-15 11:50")]).named == "right"


def test_urgent_issues_of_a_quiet_world_are_false_unless_tolerated() -> None:
    looks = [seen(6), seen(6, issue_id="I2", priority="P3"), seen(6, issue_id="I3", issue_type="pricing_expectation")]
    result = score(replace(QUIET, tolerated=("pricing_expectation",)), looks)
    assert result.alarms_false == ("payment_failure P2",)
    assert result.months == 1.0


def test_a_table_sums_up() -> None:
    results = [score(BROKEN, [seen(6)]), score(QUIET, [])]
    assert "| **all incidents** | 1 | 1/1 | 5 | 3 |" in table(results)


def test_every_second_scenario_of_the_sorted_catalogue_is_held_out() -> None:
    halves = [half_of(name) for name in sorted(catalogue())]
    assert halves == ["dev", "held-out"] * (len(halves) // 2)


def test_each_half_is_summed_by_itself() -> None:
    missed = score(replace(BROKEN, seed=2), [])
    other = score(replace(QUIET, scenario="plain_02"), [seen(6)])
    assert list(sums([score(BROKEN, [seen(6, suspect="guilty")]), missed, score(QUIET, []), other]))[2:] == [
        "| development | 3 | 1 of 2 | 1 of 1 | 5 / 5 | 6 / 6 | 1 of 2 | 0 of 2 | 0 of 2 | 0 of 3 | 0 | 0.00 (0 in 1) |",
        "| held out | 1 | 0 of 0 | 0 of 0 | – | – | 0 of 0 | 0 of 0 | 0 of 0 | 0 of 1 | 0 | 1.00 (1 in 1) |",
    ]

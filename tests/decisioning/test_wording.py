"""Signals that opened an issue, in words: what each saw beside the usual, and its odds against chance."""

from __future__ import annotations

import math
from typing import Any

import pytest

from dagster_project.decisioning.explain import Explanation
from dagster_project.decisioning.wording import signal, two_figures
from tests.automation.support import CHECKOUT


def a(kind: str, log_e_value: float = 3.0, scope: tuple[str, str] = ("all", "all"), **values: Any) -> dict[str, Any]:
    """A row of ``fct_issue_signals``."""
    measured = {"measured_kind": scope[0], "measured_value": scope[1], "log_e_value": log_e_value}
    return {"signal": kind, "measure": None, "trials": None, "amount": None, "expected": None, **measured, **values}


COMPLAINTS = a("complaints", math.log(6), amount=3.0, expected=0.24)
ERRORS = a(
    "errors", math.log(900), ("platform", "ios"), measure="checkout", trials=4_000.0, amount=310.0, expected=41.8
)
# The answers of 200 requests took 320 ms, usually 200 ms, as a geometric mean: 320 / 200 = 1.6.
LATENCY = a(
    "latency", math.log(44), measure="checkout", trials=200.0, amount=200 * math.log(320), expected=200 * math.log(200)
)
COMPLETIONS = a("completions", math.log(1001), measure="payment", trials=1_500.0, amount=1_020.0, expected=1_380.2)
CHANGE = a("change", -0.1, amount=5.2)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (COMPLAINTS, "3 complaints in 24 hours, usually 0.24: 6 to 1"),
        (
            a("complaints", 3.0, ("country", "DE"), amount=1_200.5, expected=123.0),
            "1200 complaints in 24 hours, usually 120 (DE): 20 to 1",
        ),
        (ERRORS, "errors of checkout: 310 of 4,000 requests, usually 42 (ios): 900 to 1"),
        (LATENCY, "latency of checkout: 1.6 times the usual: 40 to 1"),
        (COMPLETIONS, "payment: 1,020 of 1,500 completed, usually 1,380: more than 1,000 to 1"),
        (CHANGE, "a change 5 hours before: speaks against it"),
        (a("change", 1.0, amount=0.5), "a change 30 minutes before: 3 to 1"),
    ],
)
def test_each_kind_of_signal_is_said_beside_the_usual(row: dict[str, Any], said: str) -> None:
    assert signal(row) == said


@pytest.mark.parametrize(
    ("e_value", "said"),
    [
        (0.01, "speaks against it"),
        (0.99, "speaks against it"),
        (1.0, "1 to 1"),
        (14.0, "10 to 1"),
        (16.0, "20 to 1"),
        (960.0, "1,000 to 1"),
        (1001.0, "more than 1,000 to 1"),
        (1e12, "more than 1,000 to 1"),
    ],
)
def test_odds_have_one_figure_and_no_more_than_a_thousand_is_claimed(e_value: float, said: str) -> None:
    assert signal(a("change", math.log(e_value), amount=3.0)) == f"a change 3 hours before: {said}"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (0.0456, "0.046"),
        (1.0, "1"),
        (1.63, "1.6"),
        (9.96, "10"),
        (41.8, "42"),
        (-2.34, "-2.3"),
        (12_391, "12,000"),
    ],
)
def test_two_figures_are_two_also_below_ten(value: float, said: str) -> None:
    assert two_figures(value) == said


def explained(*signals: dict[str, Any]) -> str:
    issue = {"severity_score": 60.0, "verdict": "regression"}
    return Explanation(issue, [], [], [], list(signals), [], {}, [], CHECKOUT).as_text()


def test_an_explanation_lists_what_an_issue_was_detected_by_in_the_order_of_the_marts() -> None:
    page = explained(ERRORS, COMPLAINTS)
    assert (
        "\n\nDetected by\n"
        "  errors of checkout: 310 of 4,000 requests, usually 42 (ios): 900 to 1\n"
        "  3 complaints in 24 hours, usually 0.24: 6 to 1\n"
        "\nVerdict regression\n"
    ) in page


def test_an_issue_that_no_signal_opened_is_detected_by_nothing() -> None:
    assert "Detected by" not in explained()

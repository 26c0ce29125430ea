from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models_ml.model.calibration import (
    FLOOR,
    TARGET_PRECISION,
    fit_temperature,
    fit_thresholds,
    readable_languages,
    softmax,
)
from models_ml.model.metrics import Metrics, evaluate, expected_calibration_error
from models_ml.taxonomy import ISSUE_TYPES


def rows(*sure: tuple[str, float]) -> NDArray[np.float64]:
    """One row of probabilities per (issue type, confidence); the rest is shared evenly."""
    probabilities = []
    for name, confidence in sure:
        row = np.full(len(ISSUE_TYPES), (1 - confidence) / (len(ISSUE_TYPES) - 1))
        row[ISSUE_TYPES.index(name)] = confidence
        probabilities.append(row)
    return np.array(probabilities)


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=20), st.floats(0.05, 10))
def test_softmax_gives_probabilities_and_keeps_the_order(logits: list[float], temperature: float) -> None:
    probabilities = softmax(np.array([logits]), temperature)[0]
    assert probabilities.sum() == pytest.approx(1)
    assert probabilities[int(np.argmax(logits))] == probabilities.max()


def test_the_temperature_undoes_overconfidence() -> None:
    generator = np.random.default_rng(7)
    honest = generator.normal(0, 1.5, (4_000, len(ISSUE_TYPES)))
    truth = [ISSUE_TYPES[generator.choice(len(ISSUE_TYPES), p=row)] for row in softmax(honest)]
    assert fit_temperature(3 * honest, truth) == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize(
    ("right", "wrong", "readable"),
    [
        (200, 80, True),
        (20, 2, True),
        (5, 0, True),  # were only three of five right, five of five would be rarer than one case in ten
        (4, 0, False),
        (16, 6, False),  # 73 %, but of 22 answers
        (7, 15, False),
        (0, 0, False),
    ],
)
def test_a_language_is_read_only_if_that_is_beyond_luck(right: int, wrong: int, readable: bool) -> None:
    said = [("app_crash", 0.9)] * (right + wrong) + [("app_crash", 0.1)] * 30  # the last ones are no answers
    truth = ["app_crash"] * right + ["praise"] * (wrong + 30)
    spoken = ["de"] * len(said)
    found = readable_languages(rows(*said), truth, spoken, dict.fromkeys(ISSUE_TYPES, 0.4))
    assert found == (["de"] if readable else [])


def test_languages_are_judged_apart() -> None:
    said, truth = [("app_crash", 0.9)] * 40, ["app_crash"] * 20 + ["praise"] * 20
    spoken = ["en"] * 20 + ["de"] * 20
    assert readable_languages(rows(*said), truth, spoken, dict.fromkeys(ISSUE_TYPES, 0.4)) == ["en"]


def test_a_class_that_is_often_wrong_must_be_surer() -> None:
    said = [("app_crash", 0.9)] * 20 + [("praise", 0.4)] * 12 + [("praise", 0.8)] * 10
    truth = ["app_crash"] * 20 + ["other"] * 12 + ["praise"] * 10
    thresholds = fit_thresholds(rows(*said), truth)
    assert thresholds["app_crash"] == FLOOR
    assert 0.4 < thresholds["praise"] <= 0.8


def test_a_class_without_calibration_texts_borrows_from_all() -> None:
    thresholds = fit_thresholds(rows(*[("app_crash", 0.9)] * 10), ["app_crash"] * 10)
    assert thresholds["packaging"] == FLOOR
    assert 0 < TARGET_PRECISION < 1


def test_metrics_by_hand() -> None:
    said = rows(("app_crash", 0.9), ("app_crash", 0.9), ("praise", 0.3), ("other", 0.6))
    metrics = evaluate(said, ["app_crash", "praise", "praise", "other"], np.array([True, True, False, True]))
    assert metrics.accuracy == 0.75
    assert metrics.by_type["app_crash"].precision == 0.5
    assert metrics.by_type["app_crash"].recall == 1
    assert metrics.by_type["praise"].f1 == pytest.approx(2 / 3)
    assert metrics.coverage == 0.75
    assert metrics.accuracy_when_answering == pytest.approx(2 / 3)
    assert metrics.ece == pytest.approx((0.9 - 0.5) * 0.5 + (1 - 0.3) * 0.25 + (1 - 0.6) * 0.25)
    by_floor = {one.confidence: one for one in metrics.trade_off}
    assert (by_floor[0.0].coverage, by_floor[0.0].accuracy) == (1, 0.75)
    assert by_floor[0.5].coverage == 0.75
    assert Metrics.from_dict(metrics.as_dict()) == metrics
    assert "| app_crash | 0.50 | 1.00 |" in metrics.as_markdown()


def test_honest_confidence_has_no_calibration_error() -> None:
    right = np.arange(1_000) % 10 < 7
    assert expected_calibration_error(np.full(1_000, 0.7), right) == pytest.approx(0)

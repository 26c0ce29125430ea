from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.evaluation.plots import Bin, ScoredAnswers, bins, reliability, risk_coverage, risk_coverage_curve
from models_ml.model.metrics import expected_calibration_error


def outcome(pairs: list[tuple[float, bool]], answered: list[bool] | None = None) -> ScoredAnswers:
    confidence, right = zip(*pairs, strict=True)
    return ScoredAnswers(np.array(confidence), np.array(right), None if answered is None else np.array(answered))


def drawn(seed: int, texts: int = 300) -> ScoredAnswers:
    rng = np.random.default_rng(seed)
    confidence = rng.random(texts)
    return ScoredAnswers(confidence, rng.random(texts) < confidence, confidence > 0.4)


MODELS = {"this classifier": drawn(1), "key & words <only>": drawn(2), "TF-IDF": drawn(3)}
Picture = Callable[..., bytes]
PICTURES = pytest.mark.parametrize("picture", [reliability, risk_coverage])
OUTCOMES = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60).map(outcome)
OFTEN = settings(max_examples=150, deadline=None, derandomize=True)


@PICTURES
def test_an_svg_names_every_model_and_both_axes(picture: Picture) -> None:
    image = ElementTree.fromstring(picture(MODELS))
    words = " ".join("".join(element.itertext()) for element in image.iter("{http://www.w3.org/2000/svg}text"))
    for name in (*MODELS, "confidence" if picture is reliability else "unanswered", "accuracy"):
        assert name in words


@PICTURES
def test_the_same_figures_give_the_same_bytes(picture: Picture) -> None:
    assert picture(MODELS) == picture(MODELS)
    assert picture(MODELS) != picture({**MODELS, "TF-IDF": drawn(4)})


@PICTURES
def test_a_png_is_a_png(picture: Picture) -> None:
    from matplotlib.image import imread

    content = picture(MODELS, "png")
    assert content.startswith(b"\x89PNG")
    height, width, _ = imread(BytesIO(content)).shape
    assert min(height, width) > 600


@PICTURES
def test_one_text_is_enough(picture: Picture) -> None:
    assert picture({"one": outcome([(1.0, True)], [True]), "none answered": outcome([(0.0, False)], [False])})


def test_the_legend_tells_the_calibration_error() -> None:
    exact = outcome([(0.75, True), (0.75, True), (0.75, True), (0.75, False)])
    assert b"calibration error 0.000" in reliability({"exact": exact})
    assert b"calibration error 0.250" in reliability({"boaster": outcome([(1.0, True)] * 3 + [(1.0, False)])})


def test_bins_hold_mean_confidence_and_accuracy() -> None:
    lower, upper = bins(outcome([(0.25, True), (0.28125, False), (1.0, True), (0.9375, True)]))
    assert lower == Bin(texts=2, confidence=0.265625, accuracy=0.5)
    assert upper == Bin(texts=2, confidence=0.96875, accuracy=1.0)


@given(OUTCOMES)
@OFTEN
def test_the_bins_gaps_sum_to_the_calibration_error(some: ScoredAnswers) -> None:
    gaps = sum(one.texts * abs(one.confidence - one.accuracy) for one in bins(some)) / len(some.right)
    assert gaps == pytest.approx(expected_calibration_error(some.confidence, some.right))


def test_the_curve_drops_the_least_confident_first() -> None:
    some = outcome([(0.9, True)] * 10 + [(0.5, True)] * 5 + [(0.1, False)] * 5)
    abstained, accuracy = risk_coverage_curve(some)
    assert abstained == pytest.approx([0, 0.25, 0.5])
    assert accuracy == pytest.approx([0.75, 1, 1])


@given(OUTCOMES)
@OFTEN
def test_the_curve_starts_with_everything_answered_and_splits_no_equals(some: ScoredAnswers) -> None:
    abstained, accuracy = risk_coverage_curve(some)
    assert abstained[0] == 0
    assert accuracy[0] == pytest.approx(some.right.mean())
    assert np.all(np.diff(abstained) > 0)
    for share, expected in zip(abstained, accuracy, strict=True):
        count = round((1 - share) * len(some.right))
        floor = np.sort(some.confidence)[::-1][count - 1]
        assert (some.confidence >= floor).sum() == count
        assert some.right[some.confidence >= floor].mean() == pytest.approx(expected)


def test_an_outcome_is_taken_from_probabilities() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]])
    found = ScoredAnswers.of(probabilities, np.array([0, 1]))
    assert found.confidence.tolist() == [0.7, 0.4]
    assert found.right.tolist() == [True, False]

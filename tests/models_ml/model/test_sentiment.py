from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.model.classifier import Classifier
from models_ml.model.sentiment import POLARITIES, combine, polarity_score

SCORES = st.none() | st.floats(-1, 1)


def test_stars_move_the_words_and_do_not_outvote_them() -> None:
    assert combine(-0.9, 5, None).polarity == "negative"
    assert combine(0.9, 1, None).polarity == "positive"
    assert combine(-0.1, 1, None).polarity == "negative"
    assert combine(-0.1, 4, None).polarity == "neutral"


def test_words_that_cannot_be_read_leave_it_to_the_stars() -> None:
    assert combine(None, 1, None).polarity == "negative"
    assert combine(None, None, 10).polarity == "positive"
    assert combine(None, None, None) == combine(0.0, None, None)


@given(SCORES, st.none() | st.floats(1, 5), st.none() | st.floats(0, 10))
def test_the_score_is_between_minus_one_and_one_and_agrees_with_the_feeling(
    words: float | None, rating: float | None, nps: float | None
) -> None:
    said = combine(words, rating, nps)
    assert -1 <= said.score <= 1
    assert said.polarity in POLARITIES
    assert (said.polarity == "negative") == (said.score <= -0.25)
    assert (said.polarity == "positive") == (said.score >= 0.25)


@given(st.floats(-1, 1), st.floats(1, 5), st.floats(1, 5))
def test_more_stars_never_make_it_worse(words: float, one: float, other: float) -> None:
    low, high = sorted([one, other])
    assert combine(words, low, None).score <= combine(words, high, None).score


def test_the_score_is_how_much_likelier_positive_is_than_negative() -> None:
    assert polarity_score(np.log([0.7, 0.2, 0.1])) == pytest.approx(-0.6)
    assert polarity_score(np.log([0.1, 0.2, 0.7])) == pytest.approx(0.6)
    assert polarity_score(np.array([900.0, 0, 900.0])) == 0


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("Love this app, it works great", 1),
        ("Worst app ever, it keeps crashing and nobody helps", -1),
        ("Excellent service, very happy with everything", 1),
        ("I was charged twice and want my money back", -1),
    ],
)
def test_plain_words_are_felt(classifier: Classifier, text: str, sign: int) -> None:
    assert classifier.predict([text])[0].sentiment * sign > 0.3

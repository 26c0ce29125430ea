from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models_ml.golden.golden_set import load_golden
from models_ml.model.classifier import ABSTAINED, Classifier, Prediction
from models_ml.taxonomy import FIRST_LANGUAGE, ISSUE_TYPES

CLEAR = {
    "The app crashes every time I open it": "app_crash",
    "video won't play , it say something go wrong , tap to retry": "feature_bug",
    "I hate the new design, bring the old layout back": "ui_usability",
    "I was charged twice for one order": "payment_failure",
    "The checkout shows an error when I place my order": "checkout_failure",
    "I can't log in, the password reset mail never arrives": "login_account",
    "My parcel is two weeks late": "shipping_delivery",
    "Way too many ads": "pricing_expectation",
    "Please add a dark mode": "feature_request",
    "Love this app, it works great": "praise",
    "App stürzt beim Start immer ab": "app_crash",
}


def valid(prediction: Prediction) -> bool:
    return (
        prediction.best_type in ISSUE_TYPES
        and prediction.runner_up_type in ISSUE_TYPES
        and prediction.best_type != prediction.runner_up_type
        and 0 <= prediction.runner_up_confidence <= prediction.confidence <= 1
        and prediction.issue_type == (ABSTAINED if prediction.abstained else prediction.best_type)
        and len(prediction.neighbours) == 3
        and all(-1.001 <= one.similarity <= 1.001 for one in prediction.neighbours)
    )


def test_clear_complaints_are_recognised(classifier: Classifier) -> None:
    said = [one.issue_type for one in classifier.predict(list(CLEAR))]
    assert sum(a == b for a, b in zip(said, CLEAR.values(), strict=True)) >= len(CLEAR) - 1


def test_it_is_better_than_chance_by_far_on_unseen_texts(classifier: Classifier) -> None:
    assert classifier.metrics.macro_f1 >= 0.5
    assert classifier.metrics.ece <= 0.15
    assert classifier.metrics.accuracy_when_answering >= classifier.metrics.accuracy


def test_the_metrics_are_those_of_what_is_served(classifier: Classifier) -> None:
    readable = (FIRST_LANGUAGE, *classifier.languages)
    texts = [text for text in load_golden().split("evaluation") if text.language in readable]
    said = classifier.predict([text.text for text in texts])
    right = [one.best_type == text.issue_type for one, text in zip(said, texts, strict=True)]
    # Metrics are of the encoder in training; the runtime that serves rounds otherwise.
    assert sum(right) / len(right) == pytest.approx(classifier.metrics.accuracy, abs=0.01)
    assert 1 - sum(one.abstained for one in said) / len(said) == pytest.approx(classifier.metrics.coverage, abs=0.01)


def test_a_text_gets_the_same_prediction_in_any_company(classifier: Classifier) -> None:
    texts = [text.text for text in load_golden().split("evaluation")][:60]
    together = classifier.predict(texts)
    shuffled = random.Random(7).sample(range(len(texts)), len(texts))
    assert classifier.predict([texts[index] for index in shuffled]) == [together[index] for index in shuffled]
    assert [classifier.predict([text])[0] for text in texts[:8]] == together[:8]


def test_an_exact_duplicate_is_read_once(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = Classifier._predict_chunk

    def counting(self: Classifier, texts: list[str]) -> list[Prediction]:
        read.extend(texts)
        return original(self, texts)

    monkeypatch.setattr(Classifier, "_predict_chunk", counting)
    one, other, third = classifier.predict(["same words", "other words", " same  words\n"])
    assert one == third != other
    assert sorted(read) == ["other words", "same words"]


def test_the_nearest_training_text_of_a_training_text_is_itself(classifier: Classifier) -> None:
    known = load_golden().split("train")[0]
    nearest = classifier.predict([known.text])[0].neighbours[0]
    assert (nearest.text_id, nearest.issue_type) == (known.text_id, known.issue_type)
    assert nearest.similarity == pytest.approx(1, abs=0.001)


@pytest.mark.parametrize("text", ["", "   ", "🙃🙃🙃", "!!!", "12345", "\x00\x07"])
def test_without_a_word_it_abstains(classifier: Classifier, text: str) -> None:
    prediction = classifier.predict([text])[0]
    assert prediction.abstained
    assert valid(prediction)


def test_a_megabyte_is_one_prediction(classifier: Classifier) -> None:
    assert valid(classifier.predict(["it crashes. " * 90_000])[0])


def test_a_higher_threshold_abstains_and_keeps_the_best_guess(classifier: Classifier) -> None:
    strict = replace(classifier, thresholds=dict.fromkeys(ISSUE_TYPES, 1.1))
    prediction = strict.predict(["The app crashes every time I open it"])[0]
    assert (prediction.abstained, prediction.issue_type, prediction.best_type) == (True, "other", "app_crash")


def test_nothing_is_asked_of_no_texts(classifier: Classifier) -> None:
    assert classifier.predict([]) == []
    assert classifier.probabilities([]).shape == (0, len(ISSUE_TYPES))


@given(st.lists(st.text(max_size=120), max_size=3))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_gives_one_valid_prediction(classifier: Classifier, texts: list[str]) -> None:
    predictions = classifier.predict(texts)
    assert len(predictions) == len(texts)
    assert all(valid(one) for one in predictions)


def test_the_head_is_plain_numbers(classifier: Classifier) -> None:
    assert classifier.heads.types.coefficients.shape == (len(ISSUE_TYPES), 384)
    assert np.isfinite(classifier.heads.types.coefficients).all()

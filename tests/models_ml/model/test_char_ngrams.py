from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from models_ml.model.char_ngrams import CharNgrams, Target, fit_char_ngrams, ngrams_of

TEXTS = [
    "the app crashes",
    "crashing again and again",
    "it crashed at start",
    "my parcel is late",
    "late parcel",
    "where is the parcel",
]
CRASH, PARCEL = 0, 1
CLASSES = [CRASH] * 3 + [PARCEL] * 3
SMALL = st.text(alphabet="abc é\tÄß🙃", max_size=40)


@pytest.fixture(scope="module")
def ngrams() -> CharNgrams:
    return fit_char_ngrams(TEXTS, [Target(CLASSES, 1.0), Target(CLASSES, 3.0)], 10.0)


def test_a_word_never_seen_is_known_by_its_parts(ngrams: CharNgrams) -> None:
    crash, parcel = ngrams.logits(["crashy"])[0, :2]
    assert crash > parcel
    crash, parcel = ngrams.logits(["parcels!"])[0, :2]
    assert parcel > crash


@given(SMALL)
def test_runs_are_those_of_scikit_learn(text: str) -> None:
    theirs = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5)).build_analyzer()(text)
    assert sorted(ngrams_of(text)) == sorted(theirs)


def test_the_scores_are_those_of_scikit_learn(ngrams: CharNgrams) -> None:
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    regression = LogisticRegression(C=10.0, max_iter=2_000).fit(vectorizer.fit_transform(TEXTS), CLASSES)
    unseen = ["the parcel crashed the parcel", "zzz", "", "late late late"]
    theirs = regression.decision_function(vectorizer.transform(unseen))
    ours = ngrams.logits(unseen)
    assert ours[:, 1] - ours[:, 0] == pytest.approx(theirs, abs=1e-5)
    assert ours[:, 2:] == pytest.approx(3 * ours[:, :2], rel=1e-5)  # a target's weight multiplies its scores


@given(st.lists(st.sampled_from(["parcel", "crash", "LATE", "xyz", "🙃"]), max_size=8))
@settings(deadline=None)
def test_each_word_has_its_place_and_its_share(ngrams: CharNgrams, words: list[str]) -> None:
    text = " ".join(words)
    spans, scores = ngrams.word_scores(text)
    assert [text[start:end] for start, end in spans.tolist()] == words
    assert scores.sum(axis=0) + ngrams.intercepts == pytest.approx(ngrams.logits([text])[0])
    assert not scores[[word in ("xyz", "🙃") for word in words]].any()


def test_a_model_that_was_saved_says_the_same(ngrams: CharNgrams, tmp_path: Path) -> None:
    ngrams.save(tmp_path)
    assert np.array_equal(CharNgrams.load(tmp_path).logits(TEXTS), ngrams.logits(TEXTS))

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.evaluation.baselines import BASELINES, KEYWORDS, Baseline, Keywords
from models_ml.taxonomy import ISSUE_TYPES

LEARNT = {
    "app_crash": ["it crashes on start", "the app crashed again", "crash after the update"],
    "praise": ["love it, great", "great app, perfect", "I love this, excellent"],
    "returns_refunds": ["where is my refund", "refund still missing", "I want my money back"],
}
UNSEEN = {
    "crashing all the time since the update": "app_crash",
    "perfect, I love it": "praise",
    "still no refund, money back please": "returns_refunds",
}


@pytest.fixture(params=list(BASELINES), scope="module")
def fitted(request: pytest.FixtureRequest) -> Baseline:
    baseline = BASELINES[request.param]()
    baseline.fit([text for texts in LEARNT.values() for text in texts], [name for name in LEARNT for _ in range(3)])
    return baseline


def named(baseline: Baseline, text: str) -> str:
    return ISSUE_TYPES[int(baseline.probabilities([text])[0].argmax())]


def test_plain_texts_are_named_right(fitted: Baseline) -> None:
    assert {text: named(fitted, text) for text in UNSEEN} == UNSEEN


def test_probabilities_are_probabilities_of_all_issue_types(fitted: Baseline) -> None:
    probabilities = fitted.probabilities([*UNSEEN, "", "🙃", "\x00 12345"])
    assert probabilities.shape == (len(UNSEEN) + 3, len(ISSUE_TYPES))
    assert probabilities.min() >= 0
    assert probabilities.sum(axis=1) == pytest.approx(1)


def test_no_texts_give_no_rows(fitted: Baseline) -> None:
    assert fitted.probabilities([]).shape == (0, len(ISSUE_TYPES))


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "keywords"])
def test_a_type_never_seen_is_never_named_and_the_last_fit_counts(name: str) -> None:
    baseline = BASELINES[name]()
    baseline.fit(["it crashes", "crash", "lovely", "love it"], ["app_crash", "app_crash", "praise", "praise"])
    baseline.fit(
        ["it crashes", "crash", "too slow", "so slow"], ["app_crash", "app_crash", "performance", "performance"]
    )
    named_now = np.flatnonzero(baseline.probabilities(["love it", "crash"]).max(axis=0))
    assert {ISSUE_TYPES[index] for index in named_now} == {"app_crash", "performance"}


def test_every_issue_type_but_other_has_keywords() -> None:
    assert list(KEYWORDS) == list(ISSUE_TYPES)
    assert [name for name, words in KEYWORDS.items() if not words] == ["other"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It CRASHES daily", "app_crash"),
        ("a lagoon, a jetlag, flags", "performance"),  # "lagoon" begins like "lag"; the others do not
        ("jetlag and flags", "other"),
        ("one refund, but two words of delivery: parcel, courier", "shipping_delivery"),
        ("Wo ist mein Zug?", "other"),
    ],
)
def test_a_keyword_counts_where_a_word_begins_with_it(text: str, expected: str) -> None:
    assert named(Keywords(), text) == expected


def test_without_a_keyword_it_is_less_sure_than_with_one() -> None:
    found, not_found = Keywords().probabilities(["it crashes", "hm"]).max(axis=1)
    assert found > not_found


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_text_can_be_searched_for_keywords(text: str) -> None:
    assert Keywords().probabilities([text]).sum() == pytest.approx(1)

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.text.preprocess import MAX_CHARACTERS, clean, join, text_hash


@pytest.mark.parametrize(
    ("title", "text", "joined"),
    [
        ("Crashes", "every time I open it", "Crashes. every time I open it"),
        ("Why?", "It was fine", "Why? It was fine"),
        ("Great app", "Great app, love it", "Great app, love it"),
        (None, "only a text", "only a text"),
        ("", "only a text", "only a text"),
        ("only a title", None, "only a title."),
        (None, None, ""),
    ],
)
def test_title_and_text_become_one(title: str | None, text: str | None, joined: str) -> None:
    assert join(title, text) == joined


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("  two\n\nlines\tand\u00a0spaces ", "two lines and spaces"),
        ("nul\x00byte \ud800 surrogate", "nul byte surrogate"),
        ("ｆｕｌｌ ｗｉｄｔｈ ﬁne", "full width fine"),
        ("in\u200bvis\u00adible\ufeff and \u202ereversed\u202c", "invisible and reversed"),
        ("family 👩\u200d👧 stays", "family 👩\u200d👧 stays"),
    ],
)
def test_text_is_normalised(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@given(st.text())
def test_cleaning_is_bounded_and_final(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert len(once) <= MAX_CHARACTERS
    assert once == once.strip()


def test_a_megabyte_is_cut() -> None:
    assert len(clean("long " * 200_000)) <= MAX_CHARACTERS


def test_the_hash_tells_texts_apart_and_takes_any() -> None:
    assert text_hash("a") == text_hash("a") != text_hash("b")
    assert len(text_hash("\ud800")) == 24

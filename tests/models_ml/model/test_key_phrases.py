from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.model.key_phrases import key_phrases


def spans_of(text: str) -> list[tuple[int, int]]:
    """Each word as one token, as the tokenizer tells it."""
    found, at = [], 0
    for word in text.split():
        at = text.index(word, at)
        found.append((at, at + len(word)))
        at += len(word)
    return found


def phrases(text: str, scores: list[float]) -> list[tuple[str, float]]:
    said = key_phrases(text, (np.array(spans_of(text), dtype=np.int32), np.array(scores, dtype=np.float32)))
    return [(one.phrase, one.share) for one in said]


def test_the_weightiest_words_come_first_with_their_share() -> None:
    assert phrases("app crashes but nice colours", [1, 3, -1, -2, -1]) == [("app crashes", 1.0)]
    assert phrases("crashes often meh login broken", [4, -1, -1, 1, 3]) == [("crashes", 0.5), ("login broken", 0.5)]


def test_a_phrase_neither_begins_nor_ends_with_a_filler() -> None:
    assert phrases("the app crashes", [5, 1, 1]) == [("app crashes", 0.286)]


def test_nothing_is_named_where_nothing_spoke_for_the_label() -> None:
    assert phrases("all words speak against", [-1, -1, -1, -1]) == []
    assert key_phrases("", (np.zeros((2, 2), dtype=np.int32), np.ones(2, dtype=np.float32))) == ()


def test_the_pieces_of_a_word_are_put_together() -> None:
    spans = np.array([(0, 0), (0, 5), (5, 8), (0, 0)], dtype=np.int32)  # marks at both ends, a word in two pieces
    scores = np.array([9, 1, 2, 9], dtype=np.float32)
    assert [(one.phrase, one.share) for one in key_phrases("crashing", (spans, scores))] == [("crashing", 1.0)]


@given(st.lists(st.tuples(st.sampled_from("app crash the slow video it".split()), st.floats(-3, 3)), max_size=12))
@settings(deadline=None)
def test_phrases_stand_in_the_text_and_share_at_most_everything(words: list[tuple[str, float]]) -> None:
    text = " ".join(word for word, _ in words)
    said = phrases(text, [score for _, score in words]) if words else []
    assert all(phrase in text for phrase, _ in said)
    assert sum(share for _, share in said) <= 1.01
    assert len(said) <= 3


def test_what_two_readers_say_of_a_word_is_added_up() -> None:
    text = "app crashes"
    tokens = np.array([(0, 3), (4, 9), (9, 11)], dtype=np.int32), np.array([0, 1, 1], dtype=np.float32)
    words = np.array([(0, 3), (4, 11)], dtype=np.int32), np.array([3.0, 1.0])
    assert [(one.phrase, one.share) for one in key_phrases(text, tokens, words)] == [("app crashes", 1.0)]
    assert [(one.phrase, one.share) for one in key_phrases("app on", (words[0][:1], words[1][:1]))] == [("app", 1.0)]

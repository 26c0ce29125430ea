"""What drift is measured on: a row per text, with its properties, words, vector and what the classifier said of it.

Every property is a fixed function of one text (the encoder's own vocabulary decides what a known word is, never a
window's), so rows of two windows from one source can change places: that is what makes permutation tests on them exact.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Floats = NDArray[np.float64]

MAX_ROWS = 5_000
"""Rows of a window that are compared; of a larger window, a seeded sample."""
MAX_EMBEDDED = 1_000
"""Rows of a window whose vectors are compared: each costs a pass through the encoder."""

_WORD = re.compile(r"[^\W\d_]{2,}(?:['’][^\W\d_]+)?")
_WORDS_OF_A_TEXT = 400


@dataclass(frozen=True)
class Reading:
    """What the classifier made of n texts: the likeliest type, its calibrated probability, whether it abstained."""

    types: NDArray[np.str_]
    confidences: Floats
    abstained: NDArray[np.bool_]


@dataclass(frozen=True)
class Corpus:
    """n texts of all windows, measured once; windows are sets of row numbers.

    Attributes:
        texts: the texts as the classifier reads them.
        languages: ISO 639-1 codes, by one detector for all rows; ``und`` where it cannot tell.
        reading: the classifier's predictions.
        length: natural logarithm of 1 + characters, shape (n,).
        non_letters: share of the visible characters that are no letters, 0-1, shape (n,).
        unknown_words: share of the words that the encoder's vocabulary does not hold whole, 0-1, shape (n,).
        vocabulary: the words, in the order of the columns of ``words``.
        words: sparse, shape (n, words), 1 where the text uses the word.
        embeddings: unit vectors, shape (n, dimensions); rows that are not ``embedded`` hold zeros.
        embedded: shape (n,), True where there is a vector.
    """

    texts: tuple[str, ...]
    languages: NDArray[np.str_]
    reading: Reading
    length: Floats
    non_letters: Floats
    unknown_words: Floats
    vocabulary: tuple[str, ...]
    words: Any
    embeddings: NDArray[np.float32]
    embedded: NDArray[np.bool_]

    @classmethod
    def measure(
        cls,
        texts: Sequence[str],
        reading: Reading,
        embeddings: NDArray[np.float32],
        *,
        embedded: NDArray[np.bool_] | None = None,
        languages: Sequence[str] = (),
        known_words: Collection[str] = (),
    ) -> Corpus:
        """Measure every text.

        Args:
            texts: n texts.
            reading: the classifier's predictions for them.
            embeddings: shape (n, dimensions).
            embedded: which rows have a vector; all, if not given.
            languages: n codes; if not given, language is not compared.
            known_words: lower-case words that the encoder knows whole; if empty, no word counts as unknown.
        """
        words = [words_of(text) for text in texts]
        vocabulary, matrix = _word_matrix(words)
        return cls(
            texts=tuple(texts),
            languages=np.array(languages or ["und"] * len(texts), dtype=np.str_),
            reading=reading,
            length=np.log1p([len(text) for text in texts]),
            non_letters=np.array([_share_of_non_letters(text) for text in texts], dtype=np.float64),
            unknown_words=np.array([_share_unknown(one, known_words) for one in words], dtype=np.float64),
            vocabulary=vocabulary,
            words=matrix,
            embeddings=embeddings,
            embedded=np.ones(len(texts), dtype=np.bool_) if embedded is None else embedded,
        )


def words_of(text: str) -> list[str]:
    """The words of a text, lower-cased, in order; digits and signs are none."""
    return _WORD.findall(text.lower())[:_WORDS_OF_A_TEXT]


def subsample(rows: Rows, limit: int, seed: int) -> Rows:
    """At most ``limit`` of the rows, in their order: the same ones for the same rows and seed."""
    if len(rows) <= limit:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, size=limit, replace=False))


def _share_of_non_letters(text: str) -> float:
    visible = [character for character in text if not character.isspace()]
    return sum(not character.isalpha() for character in visible) / max(1, len(visible))


def _share_unknown(words: list[str], known: Collection[str]) -> float:
    return sum(word not in known for word in words) / len(words) if words and known else 0.0


def _word_matrix(texts: list[list[str]]) -> tuple[tuple[str, ...], Any]:
    from scipy.sparse import csr_array

    distinct = [sorted(set(words)) for words in texts]
    vocabulary = tuple(sorted({word for words in distinct for word in words}))
    column = {word: index for index, word in enumerate(vocabulary)}
    indices = np.array([column[word] for words in distinct for word in words], dtype=np.int32)
    starts = np.cumsum([0, *(len(words) for words in distinct)])
    ones = np.ones(len(indices), dtype=np.float32)
    return vocabulary, csr_array((ones, indices, starts), shape=(len(texts), max(1, len(vocabulary))))

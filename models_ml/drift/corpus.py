"""Corpus for drift tests: one row per text, with its properties, words, vector and prediction.

Every property is a fixed function of one text (known words are those of the encoder's vocabulary, never a window's). So
rows of two windows from one source are exchangeable, which makes permutation tests exact.
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
"""Maximum rows per window; a larger window is sampled with a seed."""
MAX_EMBEDDED = 1_000
"""Maximum embedded rows per window; each costs a pass through the encoder."""

_WORD = re.compile(r"[^\W\d_]{2,}(?:['’][^\W\d_]+)?")
_WORDS_OF_A_TEXT = 400


@dataclass(frozen=True)
class Predictions:
    """Predictions for n texts: likeliest type, calibrated confidence, abstention."""

    types: NDArray[np.str_]
    confidences: Floats
    abstained: NDArray[np.bool_]


@dataclass(frozen=True)
class Corpus:
    """Measurements of the n texts of all windows; windows are arrays of row numbers.

    Attributes:
        texts: prepared texts.
        languages: ISO 639-1 codes, from one detector for all rows; ``und`` if undetermined.
        predictions: the classifier's predictions.
        length: natural logarithm of 1 + characters, shape (n,).
        non_letters: share of visible characters that are no letters, 0-1, shape (n,).
        unknown_words: share of words missing (as a whole) in the encoder's vocabulary, 0-1, shape (n,).
        vocabulary: words, in column order of ``words``.
        words: sparse, shape (n, words), 1 if the text uses the word.
        embeddings: unit vectors, shape (n, dimensions); zeros in rows without one.
        embedded: True for rows with a vector, shape (n,).
    """

    texts: tuple[str, ...]
    languages: NDArray[np.str_]
    predictions: Predictions
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
        predictions: Predictions,
        embeddings: NDArray[np.float32],
        *,
        embedded: NDArray[np.bool_] | None = None,
        languages: Sequence[str] = (),
        known_words: Collection[str] = (),
    ) -> Corpus:
        """Measure every text.

        Args:
            texts: n texts.
            predictions: their predictions.
            embeddings: shape (n, dimensions).
            embedded: True for rows with a vector; default all.
            languages: n codes; without them language is not compared.
            known_words: lower-case words in the encoder's vocabulary; if empty, no word counts as unknown.
        """
        words = [words_of(text) for text in texts]
        vocabulary, matrix = _word_matrix(words)
        return cls(
            texts=tuple(texts),
            languages=np.array(languages or ["und"] * len(texts), dtype=np.str_),
            predictions=predictions,
            length=np.log1p([len(text) for text in texts]),
            non_letters=np.array([_share_of_non_letters(text) for text in texts], dtype=np.float64),
            unknown_words=np.array([_share_unknown(one, known_words) for one in words], dtype=np.float64),
            vocabulary=vocabulary,
            words=matrix,
            embeddings=embeddings,
            embedded=np.ones(len(texts), dtype=np.bool_) if embedded is None else embedded,
        )


def words_of(text: str) -> list[str]:
    """Lower-cased words of a text, in order; digits and signs are dropped."""
    return _WORD.findall(text.lower())[:_WORDS_OF_A_TEXT]


def subsample(rows: Rows, limit: int, seed: int) -> Rows:
    """Sample of at most ``limit`` rows, in order; deterministic for rows and seed."""
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

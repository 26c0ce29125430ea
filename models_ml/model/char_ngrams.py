"""Character n-gram model: TF-IDF of 3- to 5-grams under a linear head, added to the encoder's logits.

The encoder generalises over synonyms, but a few examples teach it neither the vocabulary of a trade nor a language that
it hardly knows. Character n-grams within words learn both from the same examples. Both models are linear in their
features and their logits add up, so each word's contribution to a score is exact.

The files in a model's folder keep their first names, ``letters.json`` and ``letters.npz``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models_ml.model.linear_head import fit_head

if TYPE_CHECKING:
    from collections.abc import Callable

_SHORTEST, _LONGEST = 3, 5
_WORDS_KEPT = 50_000
"""Size of the cache of words with their n-grams."""


@dataclass(frozen=True)
class Target:
    """One classification task: the class number of each text, and the weight of its logits beside the encoder's."""

    classes: Sequence[int]
    weight: float
    balanced: bool = False


@dataclass(frozen=True)
class CharNgrams:
    """The fitted model: vocabulary of n-grams (``numbers``: n-gram to row), inverse document frequency, linear weights.

    ``rarity`` has shape (n-grams,), ``weights`` (n-grams, outputs) and ``intercepts`` (outputs,). The outputs are the
    classes of all targets, concatenated.
    """

    numbers: dict[str, int]
    rarity: NDArray[np.float64]
    weights: NDArray[np.float32]
    intercepts: NDArray[np.float64]

    @classmethod
    def load(cls, folder: Path) -> CharNgrams:
        """Load from a model's folder."""
        runs = json.loads((folder / "letters.json").read_text(encoding="utf-8"))
        with np.load(folder / "letters.npz") as kept:
            return cls({run: number for number, run in enumerate(runs)}, **{name: kept[name] for name in kept.files})

    def save(self, folder: Path) -> None:
        """Save to a model's folder."""
        (folder / "letters.json").write_text(json.dumps(list(self.numbers), ensure_ascii=False), encoding="utf-8")
        np.savez(folder / "letters.npz", rarity=self.rarity, weights=self.weights, intercepts=self.intercepts)

    def word_scores(self, text: str) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Contribution of each word to the outputs; their sum plus the intercepts is the text's logits.

        Returns:
            Character span of each word, shape (words, 2), and its contributions, shape (words, outputs).
        """
        words = text.split()
        known = [self._runs(word) for word in text.lower().split()]
        scores = np.zeros((len(words), self.weights.shape[1]))
        found = np.fromiter(chain.from_iterable(known), dtype=np.int64)
        if len(found):
            distinct, place, counts = np.unique(found, return_inverse=True, return_counts=True)
            values = (1 + np.log(counts)) * self.rarity[distinct]
            shares = (values / (np.linalg.norm(values) * counts))[place]
            sizes = [len(runs) for runs in known]
            filled = [number for number, size in enumerate(sizes) if size]
            starts = np.concatenate(([0], np.cumsum([sizes[number] for number in filled])[:-1]))
            scores[filled] = np.add.reduceat(self.weights[found] * shares[:, np.newaxis], starts, axis=0)
        return _spans(text, words), scores

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Logits of cleaned texts, shape (texts, outputs)."""
        scores = [self.word_scores(text)[1].sum(axis=0) + self.intercepts for text in texts]
        return np.array(scores).reshape(len(texts), len(self.intercepts))

    @cached_property
    def _runs(self) -> Callable[[str], tuple[int, ...]]:
        """Row numbers of the known n-grams of one word."""
        return lru_cache(_WORDS_KEPT)(
            lambda word: tuple(number for run in ngrams_of(word) if (number := self.numbers.get(run)) is not None)
        )


def ngrams_of(text: str) -> list[str]:
    """All character 3- to 5-grams within the words of a text; a space marks the start and the end of a word."""
    return [
        padded[start : start + size]
        for word in text.lower().split()
        for padded in [f" {word} "]
        for size in range(_SHORTEST, _LONGEST + 1)
        for start in range(len(padded) - size + 1)
    ]


def fit_char_ngrams(texts: Sequence[str], targets: Sequence[Target], inverse_regularisation: float) -> CharNgrams:
    """Fit vocabulary, IDF and one linear head per target on cleaned texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer=ngrams_of, sublinear_tf=True)
    matrix = vectorizer.fit_transform(texts)
    heads = [fit_head(matrix, one.classes, inverse_regularisation, balanced=one.balanced) for one in targets]
    scaled = [
        (one.weight * head.coefficients, one.weight * head.intercepts) for one, head in zip(targets, heads, strict=True)
    ]
    return CharNgrams(
        numbers={run: number for number, run in enumerate(vectorizer.get_feature_names_out().tolist())},
        rarity=vectorizer.idf_,
        weights=np.ascontiguousarray(np.vstack([weights for weights, _ in scaled]).T, dtype=np.float32),
        intercepts=np.concatenate([intercepts for _, intercepts in scaled]),
    )


def _spans(text: str, words: Sequence[str]) -> NDArray[np.int32]:
    spans, at = [], 0
    for word in words:
        start = text.index(word, at)
        at = start + len(word)
        spans.append((start, at))
    return np.array(spans, dtype=np.int32).reshape(-1, 2)

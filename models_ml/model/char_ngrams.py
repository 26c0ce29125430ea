"""The letters: what the spelling of a text says, beside what the encoder makes of its meaning.

An encoder sees through other words for the same thing, but few examples do not teach it the vocabulary of a trade, nor
a language that it hardly knows. Runs of three to five letters within words, weighed by rarity (TF-IDF), learn both from
the same examples. Their scores add to those of the encoder's head, so each word's share in the answer stays exact.
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
"""Words whose runs are kept in memory; customers repeat themselves."""


@dataclass(frozen=True)
class Target:
    """What to learn of each text: the number of its class, and how much these scores weigh beside the encoder's."""

    classes: Sequence[int]
    weight: float
    balanced: bool = False


@dataclass(frozen=True)
class Letters:
    """Known runs of letters by number, how rare each is, and what each says for every output.

    ``rarity`` has shape (runs,), ``weights`` (runs, outputs) and ``intercepts`` (outputs,); the outputs are the classes
    of the targets one after the other.
    """

    numbers: dict[str, int]
    rarity: NDArray[np.float64]
    weights: NDArray[np.float32]
    intercepts: NDArray[np.float64]

    @classmethod
    def load(cls, folder: Path) -> Letters:
        """What ``save`` wrote."""
        runs = json.loads((folder / "letters.json").read_text(encoding="utf-8"))
        with np.load(folder / "letters.npz") as kept:
            return cls({run: number for number, run in enumerate(runs)}, **{name: kept[name] for name in kept.files})

    def save(self, folder: Path) -> None:
        """Into a model's folder."""
        (folder / "letters.json").write_text(json.dumps(list(self.numbers), ensure_ascii=False), encoding="utf-8")
        np.savez(folder / "letters.npz", rarity=self.rarity, weights=self.weights, intercepts=self.intercepts)

    def read(self, text: str) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """What each word adds to the outputs; with the intercepts their sum is the text's scores.

        Returns:
            The characters of each word, shape (words, 2), and its scores, shape (words, outputs).
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
        """The scores of cleaned texts, shape (texts, outputs)."""
        scores = [self.read(text)[1].sum(axis=0) + self.intercepts for text in texts]
        return np.array(scores).reshape(len(texts), len(self.intercepts))

    @cached_property
    def _runs(self) -> Callable[[str], tuple[int, ...]]:
        """The numbers of the known runs in one word."""
        return lru_cache(_WORDS_KEPT)(
            lambda word: tuple(number for run in runs_of(word) if (number := self.numbers.get(run)) is not None)
        )


def runs_of(text: str) -> list[str]:
    """Every run of three to five characters within the words of a text; a space marks where a word begins and ends."""
    return [
        padded[start : start + size]
        for word in text.lower().split()
        for padded in [f" {word} "]
        for size in range(_SHORTEST, _LONGEST + 1)
        for start in range(len(padded) - size + 1)
    ]


def fit_letters(texts: Sequence[str], targets: Sequence[Target], inverse_regularisation: float) -> Letters:
    """Learn vocabulary, rarity and weights from cleaned texts and what is to be learnt of them."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer=runs_of, sublinear_tf=True)
    matrix = vectorizer.fit_transform(texts)
    heads = [fit_head(matrix, one.classes, inverse_regularisation, balanced=one.balanced) for one in targets]
    scaled = [
        (one.weight * head.coefficients, one.weight * head.intercepts) for one, head in zip(targets, heads, strict=True)
    ]
    return Letters(
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

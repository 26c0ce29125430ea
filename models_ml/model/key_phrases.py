"""Key phrases: the words that contributed most to a text's label (exact additive attribution).

The encoder's vector is a mean of token states, the n-gram logits are a sum over words, and both heads are linear. So
the logit of a type is exactly a sum over tokens and words. Contributions are added up by word, and neighbouring words
are joined to phrases of up to three.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PHRASES = 3
_WORDS = 3
_WORD = re.compile(r"\w+(?:['’.-]\w+)*")
# Stop words: a phrase neither begins nor ends with one.
_FILLERS = frozenset(
    "a an and are as at be been but by for from had has have i if in is it its me my of on or so that the their them"
    " then there they this to was we were what when which while with you your"
    " der die das und ist ich ein eine el la los las y es un una le les et est je de du des o os e é um uma que".split()
)


@dataclass(frozen=True)
class Phrase:
    """Words of the text, and their share (0-1) of all positive contributions to the label."""

    phrase: str
    share: float


Part = tuple[NDArray[np.int32], NDArray[np.floating[Any]]]
"""Pieces of a text in order: character spans, shape (pieces, 2), and contributions, shape (pieces,)."""


def key_phrases(text: str, *parts: Part) -> tuple[Phrase, ...]:
    """Up to three phrases without overlap, largest contribution first; none if no word contributed positively.

    Args:
        text: the classified text.
        parts: contributions to the label's logit, one part per segmentation of the text (tokens, words).
    """
    words = [found.span() for found in _WORD.finditer(text)]
    weights = [sum(weight) for weight in zip(*(_weights(words, *part) for part in parts), strict=True)]
    total = sum(weight for weight in weights if weight > 0)
    if total <= 0:
        return ()
    taken: set[int] = set()
    phrases: list[Phrase] = []
    for start, end, weight in _candidates(text, words, weights, 0.05 * total):
        if len(phrases) == _PHRASES:
            break
        if taken.isdisjoint(range(start, end)):
            taken.update(range(start, end))
            phrases.append(Phrase(text[words[start][0] : words[end - 1][1]], round(min(1.0, weight / total), 3)))
    return tuple(phrases)


def _weights(words: list[tuple[int, int]], spans: NDArray[np.int32], scores: NDArray[np.floating[Any]]) -> list[float]:
    """Contribution of each word: the sum over its pieces."""
    weights = [0.0] * len(words)
    word = 0
    for (start, end), score in zip(spans.tolist(), scores.tolist(), strict=True):
        while word < len(words) and words[word][1] <= start:
            word += 1
        if end > start and word < len(words) and words[word][0] < end:
            weights[word] += score
    return weights


def _candidates(
    text: str, words: list[tuple[int, int]], weights: list[float], least: float
) -> list[tuple[int, int, float]]:
    """Phrases of one to three words that contribute enough and whose ends both contribute; largest first."""
    strong = [
        weight > 0 and text[start:end].casefold() not in _FILLERS
        for (start, end), weight in zip(words, weights, strict=True)
    ]
    found = []
    for start in range(len(words)):
        if not strong[start]:
            continue
        weight = 0.0
        for end in range(start + 1, min(start + _WORDS, len(words)) + 1):
            weight += weights[end - 1]
            if strong[end - 1] and weight >= least:
                found.append((start, end, weight))
    return sorted(found, key=lambda one: (-one[2], one[0], one[1]))

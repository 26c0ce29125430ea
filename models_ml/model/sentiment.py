"""Sentiment: how the customer feels, from the words first and from the stars second.

A second head on the encoder's vectors, and the letters, give the probabilities of negative, neutral and positive; the
words' score is positive minus negative. Stars and NPS are evidence, not the answer: people give five stars to be seen,
and one star by mistake. Where the language is not one that the classifier reads, the stars are all there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Feeling = Literal["negative", "neutral", "positive"]
FEELINGS: tuple[Feeling, ...] = ("negative", "neutral", "positive")

RATING_WEIGHT = 0.3
"""How much of the score the stars decide when there are words that can be read."""
NEUTRAL_BAND = 0.25
"""Scores nearer to zero than this are neutral."""


@dataclass(frozen=True)
class Sentiment:
    """A feeling and its score, from -1 (negative) to 1 (positive)."""

    feeling: Feeling
    score: float


def feeling_score(logits: NDArray[np.float64]) -> float:
    """The score of one text's words, -1 to 1, from its scores for each of ``FEELINGS``, shape (3,)."""
    probabilities = np.exp(logits - logits.max())
    negative, _, positive = probabilities / probabilities.sum()
    return round(float(positive - negative), 4)


def combine(words: float | None, rating: float | None, nps_score: float | None) -> Sentiment:
    """The sentiment of one piece of feedback.

    Args:
        words: the score of its words, -1 to 1; None where they cannot be read.
        rating: its stars, 1 to 5, if it has any.
        nps_score: its NPS answer, 0 to 10, if it has one; stars go before it.
    """
    stars = (rating - 3) / 2 if rating is not None else (nps_score - 5) / 5 if nps_score is not None else None
    if words is None:
        score = stars or 0.0
    elif stars is None:
        score = words
    else:
        score = (1 - RATING_WEIGHT) * words + RATING_WEIGHT * stars
    score = max(-1.0, min(1.0, score))
    feeling: Feeling = "neutral" if abs(score) < NEUTRAL_BAND else "positive" if score > 0 else "negative"
    return Sentiment(feeling, round(score, 4))

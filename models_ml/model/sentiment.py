"""Sentiment: a score from the text, combined with star rating or NPS.

The sentiment head and the n-gram model give the probabilities of negative, neutral and positive; the text's score is
positive minus negative. Stars and NPS weigh less than the text: people give five stars to be seen, and one star by
mistake. In a language that the classifier does not read, the score is that of stars or NPS alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Polarity = Literal["negative", "neutral", "positive"]
POLARITIES: tuple[Polarity, ...] = ("negative", "neutral", "positive")

RATING_WEIGHT = 0.3
"""Weight of stars or NPS in the score, beside a text that can be read."""
NEUTRAL_BAND = 0.25
"""Scores nearer to zero than this are neutral."""


@dataclass(frozen=True)
class Sentiment:
    """Polarity and score, from -1 (negative) to 1 (positive)."""

    polarity: Polarity
    score: float


def polarity_score(logits: NDArray[np.float64]) -> float:
    """Text score, -1 to 1, from the logits of ``POLARITIES``, shape (3,)."""
    probabilities = np.exp(logits - logits.max())
    negative, _, positive = probabilities / probabilities.sum()
    return round(float(positive - negative), 4)


def combine(words: float | None, rating: float | None, nps_score: float | None) -> Sentiment:
    """Combine text, stars and NPS into the sentiment of one piece of feedback.

    Args:
        words: text score, -1 to 1; None if the language cannot be read.
        rating: stars, 1 to 5, or None.
        nps_score: NPS answer, 0 to 10, or None; ignored if there are stars.
    """
    stars = (rating - 3) / 2 if rating is not None else (nps_score - 5) / 5 if nps_score is not None else None
    if words is None:
        score = stars or 0.0
    elif stars is None:
        score = words
    else:
        score = (1 - RATING_WEIGHT) * words + RATING_WEIGHT * stars
    score = max(-1.0, min(1.0, score))
    polarity: Polarity = "neutral" if abs(score) < NEUTRAL_BAND else "positive" if score > 0 else "negative"
    return Sentiment(polarity, round(score, 4))

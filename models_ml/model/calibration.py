"""Calibration: probabilities that mean what they say, and when to say nothing.

Temperature scaling (Guo et al. 2017) divides the head's logits by one number fitted on the calibration split. A class
answers from the lowest confidence at which two things hold: the answer is likelier than ``FLOOR`` to be right, and the
class's answers from there on, shrunk towards all classes' answers, are right often enough on that split.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models_ml.taxonomy import ISSUE_TYPES

FLOOR = 0.35
"""Below it nothing is answered: missing a complaint is held to cost about twice what misfiling one does."""
TARGET_PRECISION = 0.6
"""A class whose answers are right less often than this would open issues that nobody has."""
_PRIOR_WEIGHT = 8.0
"""How many answers of all classes together weigh as much as a class's own; it has about ten calibration texts."""
_GRID = np.round(np.arange(FLOOR, 0.76, 0.02), 2)


def softmax(logits: NDArray[np.float64], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities from logits, shape (texts, classes)."""
    scaled = logits / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    result: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return result


def fit_temperature(logits: NDArray[np.float64], truth: Sequence[str]) -> float:
    """The temperature with the least negative log-likelihood on these texts, searched from 0.05 to 10."""
    expected = np.array([ISSUE_TYPES.index(name) for name in truth])
    grid = np.geomspace(0.05, 10.0, 200)
    rows = np.arange(len(expected))
    losses = [-np.log(softmax(logits, temperature)[rows, expected] + 1e-12).mean() for temperature in grid]
    return float(grid[int(np.argmin(losses))])


def answers(probabilities: NDArray[np.float64], thresholds: dict[str, float]) -> NDArray[np.bool_]:
    """Which texts the likeliest type is sure enough of to answer, shape (texts,)."""
    limits = np.array([thresholds[name] for name in ISSUE_TYPES])
    answered: NDArray[np.bool_] = probabilities.max(axis=1) >= limits[probabilities.argmax(axis=1)]
    return answered


def readable_languages(
    probabilities: NDArray[np.float64], truth: Sequence[str], spoken: Sequence[str], thresholds: dict[str, float]
) -> list[str]:
    """The languages in which answers are right often enough to be given at all, chance taken off.

    A handful of lucky answers says nothing: of the calibration texts' answers in a language, the lower end of Wilson's
    one-sided 95 % interval (Wilson 1927) must reach the precision that is asked of every class.
    """
    right = probabilities.argmax(axis=1) == np.array([ISSUE_TYPES.index(name) for name in truth])
    answered = answers(probabilities, thresholds)
    own = {language: answered & np.array([one == language for one in spoken]) for language in sorted(set(spoken))}
    return [
        language
        for language, chosen in own.items()
        if _least_share(int(right[chosen].sum()), int(chosen.sum())) >= TARGET_PRECISION
    ]


def _least_share(hits: int, trials: int) -> float:
    """The lower end of Wilson's interval for the share behind these hits; 0 without any trial."""
    if not trials:
        return 0.0
    share, z = hits / trials, 1.6449
    spread = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return (share + z**2 / (2 * trials) - spread) / (1 + z**2 / trials)


def fit_thresholds(probabilities: NDArray[np.float64], truth: Sequence[str]) -> dict[str, float]:
    """The confidence from which each class answers.

    For a class and a threshold t, the expected precision is (right answers of the class at or above t + w p) / (its
    answers at or above t + w), where p is the precision of all classes at or above t and w the prior weight.
    """
    expected = np.array([ISSUE_TYPES.index(name) for name in truth])
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right = predicted == expected
    thresholds = {}
    for index, name in enumerate(ISSUE_TYPES):
        thresholds[name] = float(_GRID[-1])
        for threshold in _GRID:
            above = confidence >= threshold
            pooled = float(right[above].mean()) if above.any() else 1.0
            own = above & (predicted == index)
            if (right[own].sum() + _PRIOR_WEIGHT * pooled) / (own.sum() + _PRIOR_WEIGHT) >= TARGET_PRECISION:
                thresholds[name] = float(threshold)
                break
    return thresholds

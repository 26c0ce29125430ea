"""Calibration and abstention: temperature scaling, a confidence threshold per class, and the languages to answer in.

Temperature scaling (Guo et al. 2017) divides the logits by one number, fitted on the calibration split. The threshold
of a class is the lowest confidence, at least ``FLOOR``, at which the precision of its answers reaches
``TARGET_PRECISION``. That precision is shrunk towards the pooled precision of all classes, because a class has few
calibration texts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models_ml.taxonomy import ISSUE_TYPES

FLOOR = 0.35
"""Least confidence of any answer: a missed complaint is taken to cost about twice a misfiled one."""
TARGET_PRECISION = 0.6
"""Least precision of a class's answers; below it, its errors would open issues that nobody has."""
_PRIOR_WEIGHT = 8.0
"""Prior weight of the pooled precision, in answers; a class has about ten calibration texts."""
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
    """True where the likeliest type reaches its threshold, shape (texts,)."""
    limits = np.array([thresholds[name] for name in ISSUE_TYPES])
    answered: NDArray[np.bool_] = probabilities.max(axis=1) >= limits[probabilities.argmax(axis=1)]
    return answered


def readable_languages(
    probabilities: NDArray[np.float64], truth: Sequence[str], spoken: Sequence[str], thresholds: dict[str, float]
) -> list[str]:
    """Languages whose answers are precise enough, with sampling error taken into account.

    The lower end of the one-sided 95 % interval (Wilson 1927) of the precision in a language, on the calibration split,
    must reach ``TARGET_PRECISION``; so a few lucky answers do not qualify.
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
    """Lower end of the one-sided 95 % Wilson interval of a share; 0 without trials."""
    if not trials:
        return 0.0
    share, z = hits / trials, 1.6449
    spread = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return (share + z**2 / (2 * trials) - spread) / (1 + z**2 / trials)


def fit_thresholds(probabilities: NDArray[np.float64], truth: Sequence[str]) -> dict[str, float]:
    """Confidence threshold of each class.

    For a class and a threshold t, the shrunk precision is (right answers of the class at or above t + w p) / (its
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

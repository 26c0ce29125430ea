"""The heads: logistic regressions on features of a text, which give one score for each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Head:
    """A fitted regression: coefficients of shape (classes, features) and intercepts of shape (classes,)."""

    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Unscaled scores, shape (texts, classes), from features of shape (texts, features)."""
        scores: NDArray[np.float64] = features.astype(np.float64) @ self.coefficients.T + self.intercepts
        return scores


def fit_head(examples: Any, classes: Sequence[int], inverse_regularisation: float, *, balanced: bool = False) -> Head:
    """Fit a head.

    Args:
        examples: features of shape (texts, features), dense or sparse.
        classes: the number of each text's class, from 0 on without a gap, and at least two of them.
        inverse_regularisation: scikit-learn's ``C``.
        balanced: whether rare classes weigh as much as frequent ones.
    """
    from sklearn.linear_model import LogisticRegression

    weights = "balanced" if balanced else None
    regression = LogisticRegression(C=inverse_regularisation, max_iter=2_000, class_weight=weights)
    regression.fit(examples, classes)
    coefficients, intercepts = regression.coef_.astype(np.float64), regression.intercept_.astype(np.float64)
    if len(coefficients) == 1:  # of two classes it keeps only the second's score against the first
        return Head(np.vstack([-coefficients, coefficients]) / 2, np.concatenate([-intercepts, intercepts]) / 2)
    return Head(coefficients, intercepts)

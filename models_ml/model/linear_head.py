"""Linear head: a logistic regression on the features of a text, with one logit per class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LinearHead:
    """A fitted logistic regression: coefficients of shape (classes, features) and intercepts of shape (classes,)."""

    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits of shape (texts, classes), from features of shape (texts, features)."""
        scores: NDArray[np.float64] = features.astype(np.float64) @ self.coefficients.T + self.intercepts
        return scores


def fit_head(
    examples: Any, classes: Sequence[int], inverse_regularisation: float, *, balanced: bool = False
) -> LinearHead:
    """Fit a head.

    Args:
        examples: features of shape (texts, features), dense or sparse.
        classes: class number of each text: 0, 1, 2 ... without a gap, at least two classes.
        inverse_regularisation: scikit-learn's ``C``.
        balanced: weight classes by inverse frequency.
    """
    from sklearn.linear_model import LogisticRegression

    weights = "balanced" if balanced else None
    regression = LogisticRegression(C=inverse_regularisation, max_iter=2_000, class_weight=weights)
    regression.fit(examples, classes)
    coefficients, intercepts = regression.coef_.astype(np.float64), regression.intercept_.astype(np.float64)
    if len(coefficients) == 1:  # binary: scikit-learn keeps one logit, second class against first
        return LinearHead(np.vstack([-coefficients, coefficients]) / 2, np.concatenate([-intercepts, intercepts]) / 2)
    return LinearHead(coefficients, intercepts)

"""Test statistics between two groups of rows, vectorised over the real grouping and its permutations.

Each function takes ``groups``, shape (rows, 1 + permutations): 1 for rows of the current window, 0 for the reference;
column 0 is the real grouping, the others are permutations. Each returns one distance per column, so the null
distribution takes a few matrix products and no loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Groups = NDArray[np.float32]

_FOLDS = 5
_DIMENSIONS = 32
_RIDGE = 0.01


def permuted_groups(reference: int, current: int, permutations: int, seed: int) -> Groups:
    """The real grouping of reference rows followed by current rows, then seeded shuffles of it."""
    real = np.concatenate([np.zeros(reference, dtype=np.float32), np.ones(current, dtype=np.float32)])
    rng = np.random.default_rng(seed)
    shuffled = rng.permuted(np.broadcast_to(real, (permutations, len(real))), axis=1)
    return np.concatenate([real[np.newaxis], shuffled]).T.copy()


def wasserstein(values: Floats, groups: Groups) -> Floats:
    """Wasserstein-1 distance of a number's two distributions, in the number's own unit.

    The area between the two empirical distribution functions, which is that distance in one dimension.
    """
    order = np.argsort(values, kind="stable")
    gaps = np.diff(values[order]).astype(np.float32)
    inside = np.cumsum(groups[order], axis=0, dtype=np.float32)[:-1]
    current = groups[:, 0].sum()
    reference = len(values) - current
    seen = np.arange(1, len(values), dtype=np.float32)[:, np.newaxis]
    apart: Floats = np.abs(inside / current - (seen - inside) / reference).T @ gaps
    return apart.astype(np.float64)


def uses(indicators: Any, groups: Groups) -> tuple[Floats, Floats]:
    """Counts of each category in the reference and in the current rows, both of shape (categories, columns).

    Args:
        indicators: sparse or dense, shape (rows, categories), count of each category in a row.
        groups: shape (rows, columns).
    """
    current = np.asarray(indicators.T @ groups, dtype=np.float64)
    reference = np.asarray(indicators.sum(axis=0), dtype=np.float64).reshape(-1, 1) - current
    return np.maximum(reference, 0.0), current


def jensen_shannon(reference: Floats, current: Floats) -> Floats:
    """Jensen-Shannon divergence (base 2, 0-1) of two category mixes, from their ``uses`` (Lin 1991)."""
    p = current / np.maximum(current.sum(axis=0), 1.0)
    q = reference / np.maximum(reference.sum(axis=0), 1.0)
    divergence: Floats = _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2
    return np.maximum(divergence, 0.0)


def largest_shift(reference: Floats, current: Floats, sizes: tuple[int, int]) -> tuple[Floats, Floats]:
    """Most significant change of a category's share of rows, from their ``uses``.

    Args:
        reference: shape (categories, columns).
        current: likewise.
        sizes: rows of the reference and of the current window.

    Returns:
        The largest z-score of two shares, by column; and the change of that category's share, 0-1.
    """
    if not len(reference):
        return np.zeros(reference.shape[1]), np.zeros(reference.shape[1])
    shift = np.abs(current / sizes[1] - reference / sizes[0])
    share = (current + reference) / sum(sizes)
    spread = np.sqrt(np.maximum(share * (1 - share), 1e-12) * (1 / sizes[0] + 1 / sizes[1]))
    surest = np.argmax(shift / spread, axis=0)
    columns = np.arange(shift.shape[1])
    return (shift / spread)[surest, columns], shift[surest, columns]


def share_difference(flags: NDArray[np.bool_], groups: Groups) -> Floats:
    """Absolute difference of two shares, 0-1."""
    current = groups[:, 0].sum()
    inside = flags.astype(np.float32) @ groups
    apart: Floats = np.abs(inside / current - (flags.sum() - inside) / (len(flags) - current))
    return apart.astype(np.float64)


def separability(vectors: NDArray[np.float32], groups: Groups, seed: int) -> Floats:
    """Classifier two-sample test (Lopez-Paz and Oquab 2017): AUC of separating the groups, 0.5 if alike.

    The classifier is ridge regression on the 32 principal components of the pooled vectors, tested out of fold. Its
    output is linear in the grouping, so all permutations are one matrix product.
    """
    # Equal texts have equal scores: a random order breaks ties without favouring a group.
    order = np.random.default_rng(seed).permutation(len(vectors))
    features, groups = _main_directions(vectors)[order], groups[order]
    folds = np.arange(len(features)) % _FOLDS
    areas = []
    for fold in range(_FOLDS):
        test, train = folds == fold, folds != fold
        inputs = np.hstack([features[train], np.ones((int(train.sum()), 1))])
        gram = inputs.T @ inputs + _RIDGE * len(inputs) * np.diag([1.0] * features.shape[1] + [0.0])
        weights = np.linalg.solve(gram, inputs.T @ groups[train])
        areas.append(_auc(features[test] @ weights[:-1], groups[test]))
    mean: Floats = np.mean(areas, axis=0)
    return mean


def _main_directions(vectors: NDArray[np.float32]) -> Floats:
    """Whitened principal component scores of all rows; independent of the grouping."""
    centred = (vectors - vectors.mean(axis=0)).astype(np.float64)
    values, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    kept = np.argsort(values)[::-1][: min(_DIMENSIONS, len(vectors) // 4 + 1)]
    scores: Floats = centred @ directions[:, kept] / np.sqrt(np.maximum(values[kept], 1e-9))
    return scores


def _auc(scores: Floats, groups: Groups) -> Floats:
    """Area under the ROC curve by column (Mann-Whitney statistic); 0.5 if a group is empty."""
    ranks = np.empty(scores.shape, dtype=np.float64)
    np.put_along_axis(ranks, np.argsort(scores, axis=0), np.arange(1, len(scores) + 1.0)[:, np.newaxis], axis=0)
    positives = groups.sum(axis=0).astype(np.float64)
    pairs = positives * (len(scores) - positives)
    above = (ranks * groups).sum(axis=0) - positives * (positives + 1) / 2
    area: Floats = np.where(pairs > 0, above / np.maximum(pairs, 1.0), 0.5)
    return area


def _entropy(shares: Floats) -> Floats:
    bits: Floats = -(shares * np.log2(np.maximum(shares, 1e-12))).sum(axis=0)
    return bits

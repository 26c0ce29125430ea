"""Drift tests between two windows: ten permutation tests, each with an effect size and a practical minimum.

A test reports drift if two conditions hold: its effect is at least the practical minimum, and its permutation p-value
is significant after correction for all tests (Holm 1979). Significance keeps the family-wise false-alarm rate at
``LEVEL`` for any sample size; the minimum keeps large samples from reporting trifles.

A distance between two samples of one source is above 0, more so for small samples. So an effect is debiased: for a
distance d with null distances d0, it is the square root of d² - mean(d0²), or 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models_ml.drift import statistics as distance
from models_ml.drift.corpus import MAX_EMBEDDED, MAX_ROWS, Corpus, Floats, Rows, subsample

Kind = Literal[
    "length",
    "non_letters",
    "unknown_words",
    "language",
    "vocabulary",
    "single_word",
    "embedding",
    "issue_type",
    "confidence",
    "abstention",
]
DriftVerdict = Literal["drift", "no_drift", "insufficient_data"]

LEVEL = 0.05
"""Family-wise false-alarm rate of one comparison."""
MIN_ROWS = 50
"""Least rows in either window; with fewer the verdict is ``insufficient_data``."""
PERMUTATIONS = 499
"""Permutations per test: the least p-value is 1/500, and Holm's first step needs 0.05 / 10."""
_COMMON_WORDS = 2_000
"""Size of the compared vocabulary: the most used words of both windows together."""
_FEWEST_USES = 3

_SCALED = "Wasserstein distance in standard deviations"
_MIX = "Jensen-Shannon distance, 0-1"


@dataclass(frozen=True)
class _Test:
    minimum: float
    unit: str
    values: Callable[[Corpus], Floats] | None = None


TESTS: dict[Kind, _Test] = {
    "length": _Test(0.20, _SCALED, lambda corpus: corpus.length),
    "non_letters": _Test(0.20, _SCALED, lambda corpus: corpus.non_letters),
    "unknown_words": _Test(0.20, _SCALED, lambda corpus: corpus.unknown_words),
    "language": _Test(0.10, _MIX),
    "vocabulary": _Test(0.10, _MIX),
    "single_word": _Test(0.03, "change in the share of texts that use the word that moved most surely"),
    "embedding": _Test(0.05, "AUC of telling the windows apart, above chance"),
    "issue_type": _Test(0.10, _MIX),
    "confidence": _Test(0.04, "Wasserstein distance in probability", lambda corpus: corpus.predictions.confidences),
    "abstention": _Test(0.05, "difference of shares"),
}
"""The tests, with their practical minimum."""


@dataclass(frozen=True)
class DriftFinding:
    """One test's result.

    Attributes:
        kind: the test.
        effect: debiased effect, in ``unit``.
        minimum: practical minimum, in ``unit``.
        unit: unit of effect and minimum.
        observed: raw distance, before debiasing; for ``single_word``, the word's z-score.
        null_mean: mean raw distance over the permutations.
        null_high: 95th percentile over the permutations.
        p_value: share of the groupings, the real one included, with at least this distance.
        p_adjusted: p-value after Holm's correction.
        drifted: effect at least the minimum, and significant.
    """

    kind: Kind
    effect: float
    minimum: float
    unit: str
    observed: float
    null_mean: float
    null_high: float
    p_value: float
    p_adjusted: float
    drifted: bool


@dataclass(frozen=True)
class Comparison:
    """Result of comparing a current window with a reference; no findings if the data are insufficient."""

    verdict: DriftVerdict
    reference_rows: int
    current_rows: int
    findings: tuple[DriftFinding, ...]


def compare(
    corpus: Corpus, reference: Rows, current: Rows, *, permutations: int = PERMUTATIONS, seed: int = 0
) -> Comparison:
    """Test the current rows of a corpus for drift against its reference rows.

    Args:
        corpus: the measured texts.
        reference: row numbers; sampled down to ``MAX_ROWS``.
        current: row numbers, sampled likewise.
        permutations: size of the null distributions.
        seed: of the permutations; equal arguments give an equal result.
    """
    if min(len(reference), len(current)) < MIN_ROWS:
        return Comparison("insufficient_data", len(reference), len(current), ())
    measured = _measured(corpus, reference, current, permutations, seed)
    p_values = {kind: float(np.mean(drawn >= drawn[0] - 1e-9)) for kind, (drawn, _) in measured.items()}
    adjusted = holm(p_values)
    findings = tuple(
        DriftFinding(
            kind=kind,
            effect=effect,
            minimum=TESTS[kind].minimum,
            unit=TESTS[kind].unit,
            observed=float(drawn[0]),
            null_mean=float(drawn[1:].mean()),
            null_high=float(np.quantile(drawn[1:], 0.95)),
            p_value=p_values[kind],
            p_adjusted=adjusted[kind],
            drifted=effect >= TESTS[kind].minimum and adjusted[kind] <= LEVEL,
        )
        for kind, (drawn, effect) in measured.items()
    )
    verdict: DriftVerdict = "drift" if any(finding.drifted for finding in findings) else "no_drift"
    return Comparison(verdict, len(reference), len(current), findings)


def holm(p_values: dict[Kind, float]) -> dict[Kind, float]:
    """Step-down adjusted p-values (Holm 1979), valid under any dependence of the tests."""
    adjusted: dict[Kind, float] = {}
    worst = 0.0
    for step, (kind, p_value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        worst = max(worst, min(1.0, (len(p_values) - step) * p_value))
        adjusted[kind] = worst
    return adjusted


def _measured(
    corpus: Corpus, reference: Rows, current: Rows, permutations: int, seed: int
) -> dict[Kind, tuple[Floats, float]]:
    """Per test: distances (first the real grouping, then the permutations) and the effect."""
    old, new = subsample(reference, MAX_ROWS, seed), subsample(current, MAX_ROWS, seed + 1)
    rows = np.concatenate([old, new])
    groups = distance.permuted_groups(len(old), len(new), permutations, seed)
    drawn: dict[Kind, Floats] = {}
    for kind, test in TESTS.items():
        if test.values is not None:
            values = test.values(corpus)[rows]
            scale = max(float(values.std()), 1e-9) if test.unit == _SCALED else 1.0
            drawn[kind] = distance.wasserstein(values, groups) / scale
    words = distance.uses(_common_words(corpus, rows), groups)
    drawn["vocabulary"] = np.sqrt(distance.jensen_shannon(*words))
    drawn["single_word"], moved = distance.largest_shift(*words, (len(old), len(new)))
    for kind, labels in _categories(corpus):
        drawn[kind] = np.sqrt(distance.jensen_shannon(*distance.uses(_indicators(labels, rows), groups)))
    drawn["abstention"] = distance.share_difference(corpus.predictions.abstained[rows], groups)
    drawn["embedding"] = areas = _separability(corpus, old, new, permutations, seed)
    effects = {kind: _debiased(one) for kind, one in drawn.items()}
    # An AUC is no distance: chance is 0.5. For a single word, the change of its share is the effect, not its z-score.
    effects |= {"embedding": max(0.0, float(areas[0] - areas[1:].mean())), "single_word": float(moved[0])}
    return {kind: (drawn[kind], effects[kind]) for kind in TESTS}


def _debiased(drawn: Floats) -> float:
    """Debiased effect of the first distance, given the others as its null distribution."""
    return float(np.sqrt(max(0.0, drawn[0] ** 2 - np.mean(drawn[1:] ** 2))))


def _categories(corpus: Corpus) -> tuple[tuple[Kind, NDArray[np.str_]], ...]:
    return ("language", corpus.languages), ("issue_type", corpus.predictions.types)


def _indicators(labels: NDArray[np.str_], rows: Rows) -> NDArray[np.float32]:
    """One-hot encoding of these rows' categories."""
    categories, codes = np.unique(labels[rows], return_inverse=True)
    return np.eye(len(categories), dtype=np.float32)[codes]


def _common_words(corpus: Corpus, rows: Rows) -> Any:
    """Columns of the most used words of both windows; the choice does not depend on the grouping."""
    words = corpus.words[rows]
    uses = np.asarray(words.sum(axis=0))
    common = np.argsort(-uses, kind="stable")[:_COMMON_WORDS]
    return words[:, np.sort(common[uses[common] >= _FEWEST_USES])]


def _separability(corpus: Corpus, old: Rows, new: Rows, permutations: int, seed: int) -> Floats:
    old, new = (
        subsample(rows[corpus.embedded[rows]], MAX_EMBEDDED, seed + offset) for offset, rows in enumerate((old, new))
    )
    if min(len(old), len(new)) < MIN_ROWS:
        return np.full(1 + permutations, 0.5)
    groups = distance.permuted_groups(len(old), len(new), permutations, seed + 2)
    return distance.separability(corpus.embeddings[np.concatenate([old, new])], groups, seed)

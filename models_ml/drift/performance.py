"""Performance estimation without labels (CBPE): expected accuracy, and the attribution of its change to groups.

Calibrated confidences are probabilities of being right, so their mean over the answers estimates the accuracy (average
confidence in Garg et al. 2022; CBPE in NannyML). The estimate is as good as the calibration, which may not hold for
texts unlike the calibration split. The miscalibration on the golden set's evaluation split, made of hard texts, widens
the interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from models_ml.drift.corpus import Corpus, Floats, Rows

_DRAWS = 400
_NEWTON_STEPS = 16
_LONGEST_STEP = 0.5
_SMALLEST_SHARE = 0.01


@dataclass(frozen=True)
class Judged:
    """Answers with known truth: confidence, and True if right; both of shape (n,)."""

    confidences: Floats
    right: NDArray[np.bool_]


@dataclass(frozen=True)
class AccuracyEstimate:
    """The expected accuracy of the answers in a window; all shares 0-1, None where there is no answer.

    Attributes:
        answered: number of answers.
        coverage: share of the texts that were answered.
        accuracy: mean calibrated confidence of the answers.
        pessimistic: the same, recalibrated by the golden evaluation split.
        low: lower end of the 95 % interval of the realised accuracy (as if all answers were labelled).
        high: upper end.
    """

    answered: int
    coverage: float
    accuracy: float | None
    pessimistic: float | None
    low: float | None
    high: float | None


def estimate_accuracy(corpus: Corpus, rows: Rows, judged: Judged, *, seed: int = 0) -> AccuracyEstimate:
    """Expected accuracy of the answers among these rows.

    The interval is the envelope of two bootstraps. Both resample the window's answers and the judged ones, and draw
    each answer right or wrong by its probability. One uses the stated confidences, with the sampling error of the
    judged answers; the other a logistic recalibration (Platt 1999), refitted on each sample of the judged answers.
    """
    answers = corpus.predictions.confidences[rows][~corpus.predictions.abstained[rows]]
    coverage = len(answers) / max(1, len(rows))
    if not len(answers) or not len(judged.right):
        return AccuracyEstimate(len(answers), coverage, None, None, None, None)
    rng = np.random.default_rng(seed)
    drawn, chosen = (_resampled(len(values), rng) for values in (answers, judged.right))
    scatter = chosen @ (judged.right - judged.confidences) / len(judged.right)
    stated = drawn @ answers / len(answers) + scatter - scatter[0]
    recalibrated = _recalibrated(answers, judged, chosen)
    mapped = (drawn * recalibrated).sum(axis=1) / len(answers)
    realised = rng.binomial(len(answers), np.clip([stated, mapped], 0.0, 1.0)) / len(answers)
    bounds = np.quantile(realised[:, 1:], [0.025, 0.975], axis=1)
    return AccuracyEstimate(
        answered=len(answers),
        coverage=coverage,
        accuracy=float(answers.mean()),
        pessimistic=float(mapped[0]),
        low=float(bounds[0].min()),
        high=float(bounds[1].max()),
    )


def _resampled(count: int, rng: np.random.Generator) -> Floats:
    """Bootstrap weights, shape (1 + draws, count): row 0 is the original sample, the others are resamples."""
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=_DRAWS)
    return np.vstack([np.ones((1, count)), drawn])


def _recalibrated(values: Floats, judged: Judged, weights: Floats) -> Floats:
    """Recalibrated probabilities, shape (samples, values): one logistic regression per sample of the judged answers.

    The regression is on the log odds of the confidence, by Newton's method; ``weights`` has shape (samples, judged). A
    small ridge penalty towards the identity keeps few answers, or all-right ones, from diverging.
    """
    inputs = _log_odds(judged.confidences)
    level, slope = np.zeros((len(weights), 1)), np.ones((len(weights), 1))
    for _ in range(_NEWTON_STEPS):
        guessed = _logistic(level + slope * inputs)
        missed, spread = weights * (judged.right - guessed), weights * guessed * (1 - guessed)
        up = [missed.sum(axis=1, keepdims=True) - level, (missed * inputs).sum(axis=1, keepdims=True) - (slope - 1)]
        a = spread.sum(axis=1, keepdims=True) + 1
        b = (spread * inputs).sum(axis=1, keepdims=True)
        c = (spread * inputs**2).sum(axis=1, keepdims=True) + 1
        level = level + np.clip((c * up[0] - b * up[1]) / (a * c - b * b), -_LONGEST_STEP, _LONGEST_STEP)
        slope = slope + np.clip((a * up[1] - b * up[0]) / (a * c - b * b), -_LONGEST_STEP, _LONGEST_STEP)
    return _logistic(level + slope * _log_odds(values))


def _log_odds(confidences: Floats) -> Floats:
    clipped = np.clip(confidences, 0.01, 0.99)
    odds: Floats = np.log(clipped / (1 - clipped))
    return odds


def _logistic(values: Floats) -> Floats:
    shares: Floats = 1 / (1 + np.exp(-np.clip(values, -30.0, 30.0)))
    return shares


@dataclass(frozen=True)
class GroupChange:
    """Contribution of one group of texts to the change of the expected accuracy; shares and confidences 0-1.

    Attributes:
        group: name.
        share_before: share of the reference's answers.
        share_after: share of the current answers.
        confidence_before: mean confidence in the reference; None if the group is absent.
        confidence_after: the same in the current window.
        effect: contribution; the contributions of all groups add up to the change.
        low: lower end of the effect's simultaneous 95 % bootstrap interval (Bonferroni over groups).
        high: upper end.
    """

    group: str
    share_before: float
    share_after: float
    confidence_before: float | None
    confidence_after: float | None
    effect: float
    low: float
    high: float


def changes(
    corpus: Corpus, reference: Rows, current: Rows, groups: Sequence[str], *, seed: int = 0
) -> tuple[GroupChange, ...]:
    """Decompose the change of the expected accuracy by group, largest effect first.

    Kitagawa's decomposition (1955): with a group's shares s and mean confidences c before and after, and the overall
    mean confidence m, its part is (s1 - s0) ((c0 + c1) / 2 - m) + (c1 - c0) (s0 + s1) / 2.

    Args:
        corpus: the measured texts.
        reference: row numbers of the reference.
        current: row numbers of the current window.
        groups: group of every row of the corpus; rows with an empty name are left out.
        seed: of the bootstrap.
    """
    named = np.array(groups, dtype=np.str_)
    counted = ~corpus.predictions.abstained & (named != "")
    old, new = reference[counted[reference]], current[counted[current]]
    if not len(old) or not len(new):
        return ()
    names, codes = np.unique(named[np.concatenate([old, new])], return_inverse=True)
    before = _Sums.of(codes[: len(old)], corpus.predictions.confidences[old], len(names), seed)
    after = _Sums.of(codes[len(old) :], corpus.predictions.confidences[new], len(names), seed + 1)
    effects = _parts(before, after).sum(axis=0)
    shares = before.counts[:, 0] / len(old), after.counts[:, 0] / len(new)
    half = NormalDist().inv_cdf(1 - 0.025 / len(names)) * effects[:, 1:].std(axis=1)
    found = [
        GroupChange(
            group=str(name),
            share_before=float(shares[0][index]),
            share_after=float(shares[1][index]),
            confidence_before=before.mean(index),
            confidence_after=after.mean(index),
            effect=float(effects[index, 0]),
            low=float(effects[index, 0] - half[index]),
            high=float(effects[index, 0] + half[index]),
        )
        for index, name in enumerate(names)
        if max(shares[0][index], shares[1][index]) >= _SMALLEST_SHARE
    ]
    return tuple(sorted(found, key=lambda change: (-abs(change.effect), change.group)))


def expected_change(corpus: Corpus, reference: Rows, current: Rows) -> float:
    """Difference of the expected accuracy between two windows; 0 if either has no answer."""
    predictions = corpus.predictions
    old, new = (predictions.confidences[rows][~predictions.abstained[rows]] for rows in (reference, current))
    return float(new.mean() - old.mean()) if len(old) and len(new) else 0.0


def mix_effect(corpus: Corpus, reference: Rows, current: Rows, bins: NDArray[np.intp]) -> float:
    """Change of the expected accuracy from the new mix of bins alone, at constant confidence per bin.

    The share part of Kitagawa's decomposition; ``bins`` has the bin of every row of the corpus.
    """
    answered = ~corpus.predictions.abstained
    old, new = reference[answered[reference]], current[answered[current]]
    if not len(old) or not len(new):
        return 0.0
    count = int(bins.max()) + 1
    sums = [_Sums.of(bins[rows], corpus.predictions.confidences[rows], count, None) for rows in (old, new)]
    return float(_parts(*sums)[0].sum())


@dataclass(frozen=True)
class _Sums:
    """Counts and summed confidences by group, shape (groups, 1 + draws); column 0 is the original sample."""

    counts: Floats
    confidences: Floats

    @classmethod
    def of(cls, codes: NDArray[np.intp], confidences: Floats, groups: int, seed: int | None) -> _Sums:
        weights = np.ones((1, len(codes))) if seed is None else _resampled(len(codes), np.random.default_rng(seed))
        member = np.eye(groups)[codes]
        return cls((weights @ member).T, (weights @ (member * confidences[:, np.newaxis])).T)

    def mean(self, group: int) -> float | None:
        count = self.counts[group, 0]
        return float(self.confidences[group, 0] / count) if count else None


def _parts(before: _Sums, after: _Sums) -> Floats:
    """The share part and the confidence part of every group's effect, shape (2, groups, 1 + draws)."""
    shares = [sums.counts / sums.counts.sum(axis=0) for sums in (before, after)]
    means = [sums.confidences / np.maximum(sums.counts, 1e-12) for sums in (before, after)]
    # A group that is missing on one side has no confidence there: it changed its share, not its confidence.
    means[0] = np.where(before.counts > 0, means[0], means[1])
    means[1] = np.where(after.counts > 0, means[1], means[0])
    overall = sum(sums.confidences.sum(axis=0) / sums.counts.sum(axis=0) for sums in (before, after)) / 2
    moved = (shares[1] - shares[0]) * ((means[0] + means[1]) / 2 - overall)
    surer = (means[1] - means[0]) * (shares[0] + shares[1]) / 2
    return np.stack([moved, surer])

"""Metrics of a classifier on held-out texts: accuracy, F1, calibration error, and the trade-off of abstention.

Accuracy and F1 are those of the likeliest class, before abstention. ``coverage`` and ``accuracy_when_answering`` are
those after abstention, and ``trade_off`` gives both for other confidence thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_ml.taxonomy import ISSUE_TYPES

ECE_BINS = 10
FLOORS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class ClassMetrics:
    """Precision, recall and F1 of one issue type, each 0-1, and its number of texts."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class TradeOff:
    """Coverage and accuracy when answering only from a confidence on."""

    confidence: float
    coverage: float
    accuracy: float


@dataclass(frozen=True)
class Metrics:
    """All metrics of one split."""

    accuracy: float
    macro_f1: float
    ece: float
    coverage: float
    accuracy_when_answering: float
    trade_off: tuple[TradeOff, ...]
    by_type: dict[str, ClassMetrics]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Metrics:
        """The inverse of ``as_dict``."""
        by_type = {name: ClassMetrics(**figures) for name, figures in values["by_type"].items()}
        trade_off = tuple(TradeOff(**figures) for figures in values["trade_off"])
        return cls(**{**values, "by_type": by_type, "trade_off": trade_off})

    def as_markdown(self) -> str:
        """Two tables for the model card: metrics by issue type, and the abstention trade-off."""
        lines = ["| issue type | precision | recall | F1 | texts |", "| --- | ---: | ---: | ---: | ---: |"]
        lines += [
            f"| {name} | {figures.precision:.2f} | {figures.recall:.2f} | {figures.f1:.2f} | {figures.support} |"
            for name, figures in self.by_type.items()
        ]
        lines += ["", "| answering from confidence | answers | right when answering |", "| ---: | ---: | ---: |"]
        lines += [f"| {one.confidence:.1f} | {one.coverage:.0%} | {one.accuracy:.0%} |" for one in self.trade_off]
        return "\n".join(lines)


def evaluate(probabilities: NDArray[np.float64], truth: Sequence[str], answered: NDArray[np.bool_]) -> Metrics:
    """Compute the metrics of calibrated probabilities.

    Args:
        probabilities: shape (texts, issue types), rows sum to 1.
        truth: the issue type of each text.
        answered: shape (texts,), False where the classifier abstained.
    """
    expected = np.array([ISSUE_TYPES.index(name) for name in truth])
    predicted = probabilities.argmax(axis=1)
    right = predicted == expected
    by_type = {}
    for index, name in enumerate(ISSUE_TYPES):
        hits = float(np.sum(right & (expected == index)))
        precision = hits / max(1.0, float(np.sum(predicted == index)))
        recall = hits / max(1.0, float(np.sum(expected == index)))
        f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
        by_type[name] = ClassMetrics(precision, recall, f1, int(np.sum(expected == index)))
    return Metrics(
        accuracy=float(right.mean()),
        macro_f1=float(np.mean([figures.f1 for figures in by_type.values()])),
        ece=expected_calibration_error(probabilities.max(axis=1), right),
        coverage=float(answered.mean()),
        accuracy_when_answering=float(right[answered].mean()) if answered.any() else 0.0,
        trade_off=tuple(_answering_from(floor, probabilities.max(axis=1), right) for floor in FLOORS),
        by_type=by_type,
    )


def _answering_from(floor: float, confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> TradeOff:
    above = confidence >= floor
    return TradeOff(floor, float(above.mean()), float(right[above].mean()) if above.any() else 1.0)


def expected_calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Mean gap between confidence and accuracy over ten equal-width bins, weighted by their texts (Guo et al. 2017)."""
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = [
        abs(confidence[bins == index].mean() - right[bins == index].mean()) * (bins == index).mean()
        for index in set(bins)
    ]
    return float(sum(gaps))

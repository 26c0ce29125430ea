"""Calibration plots for several models side by side: reliability diagram and risk-coverage curve, as SVG or PNG.

The reliability diagram sets accuracy against confidence; the risk-coverage curve sets accuracy against the share of
texts left unanswered. Output is deterministic: equal figures give equal bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from models_ml.model.metrics import ECE_BINS, expected_calibration_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Format = Literal["svg", "png"]

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#555555", "#e69f00")
"""Palette of Okabe and Ito, safe for colour-blind readers, and grey."""
_MARKERS = ("o", "s", "^", "D", "v", "P")
_FEW = 10
"""Least number of texts behind a point; shares of fewer are too noisy."""


@dataclass(frozen=True)
class ScoredAnswers:
    """Confidence and correctness of the likeliest class, per text; several runs may be concatenated.

    All have shape (texts,). ``answered`` is True where the model answers at its own thresholds; the risk-coverage curve
    marks that point if it is given.
    """

    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    answered: NDArray[np.bool_] | None = None

    @classmethod
    def of(
        cls, probabilities: NDArray[np.float64], truth: NDArray[np.int64], answered: NDArray[np.bool_] | None = None
    ) -> ScoredAnswers:
        """Score probabilities, shape (texts, classes), against class numbers, shape (texts,)."""
        return cls(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth, answered)


@dataclass(frozen=True)
class Bin:
    """One of ten confidence bins: number of texts, mean confidence, accuracy."""

    texts: int
    confidence: float
    accuracy: float


def bins(outcome: ScoredAnswers) -> list[Bin]:
    """Non-empty bins by rising confidence; the bins of the expected calibration error."""
    place = np.minimum((outcome.confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    found = [place == index for index in range(ECE_BINS)]
    return [
        Bin(int(own.sum()), float(outcome.confidence[own].mean()), float(outcome.right[own].mean()))
        for own in found
        if own.any()
    ]


def risk_coverage_curve(outcome: ScoredAnswers) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Risk-coverage curve: share of texts left unanswered (least confident first), and accuracy of the rest.

    Both have shape (points,), ordered by rising abstention. One point per distinct confidence, since texts of equal
    confidence are answered together; none where fewer than ten texts would be answered.
    """
    order = np.argsort(-outcome.confidence, kind="stable")
    confidence, right = outcome.confidence[order], outcome.right[order]
    answered = np.arange(1, len(right) + 1)
    last_of_equals = np.append(confidence[1:] != confidence[:-1], True)
    kept = np.flatnonzero(last_of_equals & (answered >= min(_FEW, len(right))))[::-1]
    return 1.0 - answered[kept] / len(right), np.cumsum(right)[kept] / answered[kept]


def reliability(models: Mapping[str, ScoredAnswers], image: Format = "svg") -> bytes:
    """Reliability diagram of named models, with a histogram of confidence below it.

    On the diagonal, confidence equals accuracy; below it, a model is overconfident. Filled marks stand for at least ten
    texts, hollow ones for fewer.
    """
    with _style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 7.2), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot((0, 1), (0, 1), color="#999999", linestyle="--", linewidth=1, label="confidence equals accuracy")
        for place, (name, outcome) in enumerate(models.items()):
            _draw_reliability(upper, lower, name, outcome, place)
        upper.set(ylabel="accuracy", title="Reliability: is confidence what it says?", xlim=(0, 1), ylim=(0, 1))
        lower.set(xlabel="confidence in the likeliest issue type", ylabel="share of texts", ylim=(0, None))
        upper.legend(frameon=False, loc="upper left")
        return _image(figure, image)


def _draw_reliability(upper: Axes, lower: Axes, name: str, outcome: ScoredAnswers, place: int) -> None:
    colour, marker = _COLOURS[place % len(_COLOURS)], _MARKERS[place % len(_MARKERS)]
    error = expected_calibration_error(outcome.confidence, outcome.right)
    drawn = bins(outcome)
    confidence, accuracy = [one.confidence for one in drawn], [one.accuracy for one in drawn]
    upper.plot(confidence, accuracy, color=colour, linewidth=1.6, alpha=0.6)
    upper.scatter(
        confidence,
        accuracy,
        marker=marker,
        edgecolors=colour,
        c=[colour if one.texts >= _FEW else "white" for one in drawn],
        zorder=3,
        clip_on=False,
    )
    upper.plot((), (), color=colour, marker=marker, label=f"{name} (calibration error {error:.3f})")
    shares, edges = np.histogram(outcome.confidence, bins=ECE_BINS, range=(0, 1))
    lower.stairs(shares / len(outcome.confidence), edges, color=colour, linewidth=1.6)


def risk_coverage(models: Mapping[str, ScoredAnswers], image: Format = "svg") -> bytes:
    """Risk-coverage curves of named models; a mark shows a model's own thresholds.

    A curve starts on the left with every text answered.
    """
    with _style():
        from matplotlib.figure import Figure
        from matplotlib.ticker import PercentFormatter

        figure = Figure(figsize=(7.2, 5.4), layout="constrained")
        axes = figure.subplots()
        for place, (name, outcome) in enumerate(models.items()):
            colour, marker = _COLOURS[place % len(_COLOURS)], _MARKERS[place % len(_MARKERS)]
            axes.plot(*risk_coverage_curve(outcome), color=colour, linewidth=1.6)
            if outcome.answered is not None and outcome.answered.any():
                accuracy = outcome.right[outcome.answered].mean()
                axes.plot([1 - outcome.answered.mean()], [accuracy], color=colour, marker=marker, markersize=8)
            axes.plot((), (), color=colour, marker=marker if outcome.answered is not None else "", label=name)
        axes.set(
            xlabel="share of texts left unanswered, the least confident first",
            ylabel="accuracy of the answers given",
            title="Risk and coverage: what abstaining buys (mark: the model's own thresholds)",
            xlim=(0, 1),
            ylim=(0, 1.01),
        )
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.legend(frameon=False, loc="lower right")
        return _image(figure, image)


def _style() -> Any:
    """Matplotlib settings: text as text in SVG, and stable ids, so that output is deterministic."""
    from matplotlib import rc_context

    return rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "feedback-control",
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#e6e6e6",
            "axes.axisbelow": True,
        }
    )


def _image(figure: Any, image: Format) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format=image, dpi=144, metadata={"Date": None} if image == "svg" else {"Software": None})
    return content.getvalue()

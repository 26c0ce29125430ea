"""Two pictures of whether a model's confidence can be relied on, for several models side by side, as SVG or PNG.

``reliability``: of the answers given with some confidence, how many were right. ``risk_coverage``: how much better the
answers get the more texts are left unanswered. The same figures give the same bytes.
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
"""Okabe and Ito's palette, which people with any colour vision can tell apart, and grey."""
_MARKERS = ("o", "s", "^", "D", "v", "P")
_FEW = 10
"""A share of fewer texts than this jumps about too much to be worth drawing."""


@dataclass(frozen=True)
class Outcome:
    """What a model made of some texts: its confidence in its likeliest class, and whether that was right.

    All have shape (texts,), or hold several runs one after the other. ``answered`` says what the model answers at its
    own thresholds; the picture of risk and coverage marks it if it is given.
    """

    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    answered: NDArray[np.bool_] | None = None

    @classmethod
    def of(
        cls, probabilities: NDArray[np.float64], truth: NDArray[np.int64], answered: NDArray[np.bool_] | None = None
    ) -> Outcome:
        """From probabilities, shape (texts, classes), and the number of each text's class, shape (texts,)."""
        return cls(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth, answered)


@dataclass(frozen=True)
class Bin:
    """The answers whose confidence lies in one tenth of the scale: how many, and their mean confidence and accuracy."""

    texts: int
    confidence: float
    accuracy: float


def bins(outcome: Outcome) -> list[Bin]:
    """The bins that hold any answer, by rising confidence; the same as expected calibration error is summed over."""
    place = np.minimum((outcome.confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    found = [place == index for index in range(ECE_BINS)]
    return [
        Bin(int(own.sum()), float(outcome.confidence[own].mean()), float(outcome.right[own].mean()))
        for own in found
        if own.any()
    ]


def risk_coverage_curve(outcome: Outcome) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Abstaining from the least confident texts first: the share left unanswered, and the accuracy of the rest.

    Both have shape (points,); the abstaining rises. There is one point for each distinct confidence, since texts of
    equal confidence can only be answered together, and none where fewer than ten texts would be answered.
    """
    order = np.argsort(-outcome.confidence, kind="stable")
    confidence, right = outcome.confidence[order], outcome.right[order]
    answered = np.arange(1, len(right) + 1)
    last_of_equals = np.append(confidence[1:] != confidence[:-1], True)
    kept = np.flatnonzero(last_of_equals & (answered >= min(_FEW, len(right))))[::-1]
    return 1.0 - answered[kept] / len(right), np.cumsum(right)[kept] / answered[kept]


def reliability(models: Mapping[str, Outcome], image: Format = "svg") -> bytes:
    """The reliability diagram of named models; below it, how many of their texts have which confidence.

    On the diagonal, confidence is accuracy; below it, a model promises too much. A filled mark stands for at least ten
    texts, a hollow one for fewer.
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


def _draw_reliability(upper: Axes, lower: Axes, name: str, outcome: Outcome, place: int) -> None:
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


def risk_coverage(models: Mapping[str, Outcome], image: Format = "svg") -> bytes:
    """How right the answers of named models are when the least confident ones are not given.

    A curve starts on the left with every text answered. A mark shows where a model's own thresholds put it.
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
    """Text stays text in an SVG, and ids do not change from one run to the next."""
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

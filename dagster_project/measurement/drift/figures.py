"""Figures of the drift page, as deterministic inline SVG."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from dagster_project.measurement.drift.windows import Windows
from models_ml.drift import AccuracyEstimate, Comparison
from models_ml.taxonomy import ISSUE_TYPES

_COLOURS = {"golden": "#b9a05c", "previous": "#9db4c8", "current": "#33506b"}
_ALERT = "#b3261e"
_SHOWN_POINTS = 400


class _Drawing:
    """A figure in progress, and its SVG afterwards."""

    svg = ""

    def __init__(self, axes: Any) -> None:
        self.axes = axes


@contextmanager
def _drawing(width: float, height: float) -> Iterator[_Drawing]:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    with mpl.rc_context({"svg.hashsalt": "feedback-control", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
        axes.spines[["top", "right"]].set_visible(False)
        drawing = _Drawing(axes)
        yield drawing
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
        plt.close(figure)
        drawing.svg = drawn.getvalue().split("?>", 1)[-1].split('.dtd">', 1)[-1]


def effects(comparison: Comparison) -> str:
    """Effects as multiples of their practical minimum; drift in red."""
    with _drawing(7.2, 2.6) as drawing:
        findings = comparison.findings[::-1]
        drawing.axes.barh(
            [finding.kind.replace("_", " ") for finding in findings],
            [finding.effect / finding.minimum for finding in findings],
            color=[_ALERT if finding.drifted else "#9db4c8" for finding in findings],
        )
        drawing.axes.axvline(1.0, color="#1d2730", linestyle=":")
        drawing.axes.set_xlabel("effect, as a multiple of its practical minimum (dotted)")
    return drawing.svg


def type_mix(windows: Windows) -> str:
    """The share of every predicted issue type in each window."""
    with _drawing(7.2, 5.2) as drawing:
        places = np.arange(len(ISSUE_TYPES))
        for offset, (name, rows) in enumerate(windows.rows.items()):
            types = windows.corpus.predictions.types[rows]
            shares = [float(np.mean(types == issue_type)) if len(rows) else 0.0 for issue_type in ISSUE_TYPES]
            drawing.axes.barh(places + 0.27 * (offset - 1), shares, height=0.26, color=_COLOURS[name], label=name)
        drawing.axes.set_yticks(places, [name.replace("_", " ") for name in ISSUE_TYPES])
        drawing.axes.invert_yaxis()
        drawing.axes.set_xlabel("share of texts, by the likeliest type")
        drawing.axes.legend(frameon=False)
    return drawing.svg


def confidences(windows: Windows) -> str:
    """The distribution of the calibrated confidences in each window."""
    with _drawing(7.2, 2.4) as drawing:
        edges = np.linspace(0, 1, 21)
        for name, rows in windows.rows.items():
            if len(rows):
                values = windows.corpus.predictions.confidences[rows]
                counts = np.histogram(values, edges)[0] / len(rows)
                drawing.axes.stairs(counts, edges, color=_COLOURS[name], label=name, linewidth=1.6)
        drawing.axes.set_xlabel("confidence of the likeliest type")
        drawing.axes.set_ylabel("share of texts")
        drawing.axes.legend(frameon=False, loc="upper left")
    return drawing.svg


def accuracies(estimates: Mapping[str, AccuracyEstimate], measured: float | None) -> str:
    """Expected accuracy of each window with its interval, and the measured accuracy on the golden set."""
    with _drawing(7.2, 1.7) as drawing:
        for name, one in estimates.items():
            if one.accuracy is not None and one.low is not None and one.high is not None:
                drawing.axes.plot([one.low, one.high], [name, name], color=_COLOURS[name], linewidth=5, alpha=0.5)
                drawing.axes.plot(one.accuracy, name, "o", color=_COLOURS[name])
        if measured is not None:
            drawing.axes.plot(measured, "golden", "x", color=_ALERT, label="measured")
            drawing.axes.legend(frameon=False, loc="upper left")
        drawing.axes.set_xlim(0, 1)
        drawing.axes.set_xlabel("expected accuracy of the answers, 95 % interval")
    return drawing.svg


def map_of_texts(windows: Windows) -> str:
    """The vectors of all windows on their two main directions, a few hundred of each."""
    with _drawing(7.2, 4.0) as drawing:
        corpus = windows.corpus
        shown = {name: rows[corpus.embedded[rows]][:_SHOWN_POINTS] for name, rows in windows.rows.items()}
        vectors = corpus.embeddings[np.concatenate(list(shown.values()))].astype(np.float64)
        if len(vectors) > 2:
            centre = vectors.mean(axis=0)
            directions = np.linalg.eigh((vectors - centre).T @ (vectors - centre))[1][:, -2:]
            for name, rows in shown.items():
                x, y = ((corpus.embeddings[rows] - centre) @ directions).T
                drawing.axes.plot(y, x, ".", color=_COLOURS[name], alpha=0.6, markersize=4, label=name)
            drawing.axes.legend(frameon=False)
        drawing.axes.set(xticks=[], yticks=[], xlabel="first main direction", ylabel="second")
    return drawing.svg

"""Charts of the pages: SVG inside the page, each with a text alternative and the name of its rows.

They are drawn five inches wide, so that their letters can be read on a phone.
"""

from __future__ import annotations

import html
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_BAR, _LINE, _MARK = "#9db4c8", "#33506b", "#b3261e"


@dataclass(frozen=True)
class Chart:
    """A drawn chart: its SVG, what it shows in words, and the name of the CSV file with its rows."""

    name: str
    svg: str
    text: str


@contextmanager
def _drawn(height: float, text: str) -> Iterator[tuple[Any, list[str]]]:
    """Axes to draw on, and a list that holds the SVG afterwards."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    out: list[str] = []
    with mpl.rc_context({"svg.hashsalt": "feedback-control", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(5, height), layout="constrained")
        axes.spines[["top", "right"]].set_visible(False)
        yield axes, out
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
        plt.close(figure)
    svg = drawn.getvalue().split("?>", 1)[-1].split('.dtd">', 1)[-1].strip()
    out.append(svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(text)}" ', 1))


def intervals(name: str, rows: Sequence[tuple[str, float, float | None, float | None]], text: str, unit: str) -> Chart:
    """A horizontal bar for each row, with its interval: label, value, low, high."""
    with _drawn(0.55 + 0.34 * len(rows), text) as (axes, out):
        for place, (_, value, low, high) in enumerate(reversed(rows)):
            axes.barh(place, value, height=0.6, color=_BAR)
            if low is not None and high is not None:
                axes.plot([low, high], [place, place], color=_LINE, linewidth=1.6, marker="|", markersize=8)
        axes.set_yticks(range(len(rows)), [label for label, *_ in reversed(rows)])
        axes.axvline(0, color="#5a6570", linewidth=0.8)
        axes.set_xlabel(unit)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.locator_params(axis="x", nbins=5)
    return Chart(name, out[0], text)


def times(name: str, months: Sequence[str], rows: Sequence[tuple[str, list[float | None]]], text: str) -> Chart:
    """Hours by month, one line for each row: label, and a value (or none) for each month."""
    with _drawn(2.4, text) as (axes, out):
        for place, (label, values) in enumerate(rows):
            xs = [x for x, value in enumerate(values) if value is not None]
            shade = (_LINE, _MARK, "#8a5a00", "#2e7d32", "#5b3a8c", _BAR)[place % 6]
            axes.plot(xs, [value for value in values if value is not None], marker="o", color=shade, label=label)
        axes.set_xticks(range(len(months)), months)
        axes.set_xlim(-0.5, len(months) - 0.5)
        axes.set_ylabel("hours, median")
        axes.set_ylim(bottom=0)
        if rows:
            axes.legend(frameon=False, fontsize=8, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
    return Chart(name, out[0], text)


def course(
    name: str,
    ticks: Sequence[datetime],
    counts: Sequence[float],
    usual: Sequence[float | None],
    marks: Sequence[tuple[datetime, str, str, str]],
    text: str,
) -> Chart:
    """Complaints in a day against what would be usual, with marks: instant, label, colour, line style."""
    from matplotlib import dates

    with _drawn(2.5, text) as (axes, out):
        axes.fill_between(ticks, counts, step="post", color=_BAR, linewidth=0, label="complaints in 24 h")
        axes.step(ticks, usual, where="post", color=_LINE, linewidth=1.4, label="usual")  # None leaves a gap
        for at, label, colour, style in marks:
            axes.axvline(at, color=colour, linestyle=style, linewidth=1.3, label=label)
        axes.xaxis.set_major_locator(dates.AutoDateLocator(maxticks=6))  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(dates.DateFormatter("%b %d"))  # type: ignore[no-untyped-call]
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, ncols=3, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1))
    return Chart(name, out[0], text)


def lines(name: str, labels: Sequence[str], rows: Sequence[tuple[str, list[float | None]]], text: str) -> Chart:
    """Shares over time, one line for each row: label, and a share (or none) for each point in time."""
    with _drawn(2.3, text) as (axes, out):
        for place, (label, values) in enumerate(rows):
            xs = [x for x, value in enumerate(values) if value is not None]
            shade = (_LINE, _MARK, "#2e7d32", "#8a5a00")[place % 4]
            axes.plot(xs, [value for value in values if value is not None], marker=".", color=shade, label=label)
        step = max(1, -(-len(labels) // 6))
        axes.set_xticks(range(0, len(labels), step), labels[::step])
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.legend(frameon=False, fontsize=8, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
    return Chart(name, out[0], text)

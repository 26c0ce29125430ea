"""Page of the benchmark of forged signals: the table, its picture and the method."""

from __future__ import annotations

import os
import platform
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.forger_goals import ENOUGH, FAKES, RATES, SEED, TIMES

Row = dict[str, object]


def cell(row: Row | None) -> str:
    """Fewest fakes in a table: a dash without a measurement, a bound where none sufficed."""
    if row is None:
        return "–"
    if row["fakes"] is None:
        return f"more than {FAKES[-1]}"
    return str(row["fakes"]) if row["fakes"] else "0 (without any)"


def table(now: Sequence[Row], before: Sequence[Row]) -> list[str]:
    """Goals by rate, before and now."""
    old, new = ({(row["goal"], row["rate"]): row for row in rows} for rows in (before, now))
    lines = [
        f"| goal of the forger | {' | '.join(f'{rate} a day: before | now' for rate in RATES)} | real complaints |",
        "| --- |" + " ---: |" * (2 * len(RATES) + 1),
    ]
    for goal in dict.fromkeys(str(row["goal"]) for row in now):
        cells = [cell(rows.get((goal, rate))) for rate in RATES for rows in (old, new)]
        real = [str(new[goal, rate]["complaints"]) for rate in RATES if (goal, rate) in new]
        lines.append(f"| {goal} | {' | '.join(cells)} | {' / '.join(real)} |")
    return lines


def picture(now: Sequence[Row], before: Sequence[Row], path: Path) -> None:
    """Fewest fakes for each goal at 40 a day, before and now; a full bar is more than were tried."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    goals = list(dict.fromkeys(str(row["goal"]) for row in now))[::-1]
    for offset, (name, rows) in zip((0.2, -0.2), {"before": before, "now": now}.items(), strict=True):
        found = {str(row["goal"]): row["fakes"] for row in rows if row["rate"] == RATES[1]}
        bars = [FAKES[-1] * 1.1 if found.get(goal) is None else float(str(found[goal])) for goal in goals]
        axes.barh([place + offset for place in range(len(goals))], bars, 0.4, label=name)
    axes.set_yticks(range(len(goals)), goals)
    axes.axvline(FAKES[-1], linestyle=":", color="gray")
    axes.set_xlabel(f"fakes needed at {RATES[1]} pieces a day (beyond the line: more than were tried)")
    axes.legend()
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)


_METHOD = f"""A forger adds rows; nothing takes a real customer's row away. Each goal is tried in one world (30 days
of history, an onset, 6 days after it; seed {SEED}) at 10, 40 and 100 pieces of feedback a day, with
{", ".join(str(count) for count in FAKES[1:])} fakes: reviews by strangers, spread over half a day or more, no two
alike. Where an attack has all three, {TIMES} bad requests with the version in their header and {TIMES} abandoned
checkouts go with each fake. Counted is the fewest of them with which any of three looks at the decisions shows what
the forger wants; a clearing counts from {ENOUGH} real complaints on. Labels are given. "Before" has the same worlds,
decided by the code before people were counted (7e3b685). The last column has the real complaints of the fault by the
last look, at the three rates."""


def report(now: Sequence[Row], before: Sequence[Row]) -> str:
    """The page, from the rows of ``manipulation.needed``."""
    return "\n".join(
        [
            "# What it takes to forge a decision",
            "",
            "Written by `python -m benchmarks.manipulation --json NOW --before OLD --report PAGE`; do not edit.",
            "",
            f"Measured on {datetime.now(UTC):%Y-%m-%d}; {platform.machine()}, {os.cpu_count()} processors.",
            "",
            "## Method",
            "",
            *textwrap.wrap(_METHOD, 118),
            "",
            "## Fakes needed",
            "",
            *table(now, before),
            "",
            "![Fakes needed](manipulation.svg)",
            "",
            "How the signals are weighed stands in [docs/decisions.md](../docs/decisions.md), *Forged signals*.",
            "The cost of forging the verdict of one issue stands in its ticket and in `fct_release_correlation`.",
            "",
        ]
    )

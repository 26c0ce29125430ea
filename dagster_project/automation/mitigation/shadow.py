"""Shadow report: had it been on, how many acts, how many right, and how much earlier than people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from dagster_project.decisioning.published import read_mart
from dagster_project.home import Home

_COLUMNS = ("mitigation", "tier", "plan_id", "plan_mode", "would_have_been_right", "minutes_earlier")


@dataclass(frozen=True)
class ShadowLine:
    """One mitigation, or all of them: its plans in shadow by whether they would have been right.

    ``minutes_earlier`` is the median of those that were right; None if there are none.
    """

    mitigation: str
    tier: int | None
    acts: int
    right: int
    wrong: int
    cannot_be_told: int
    minutes_earlier: float | None


def shadow_report(home: Home) -> list[ShadowLine]:
    """A line for each mitigation with a plan in shadow, smallest tier first, then one for all of them.

    Raises:
        ConfigurationError: nothing has been published yet.
    """
    rows = read_mart(home, "fct_mitigations", _COLUMNS, where={"plan_mode": "shadow"}).drop_nulls("plan_id").to_dicts()
    names = sorted({(row["tier"], row["mitigation"]) for row in rows})
    lines = [_line(name, tier, [row for row in rows if row["mitigation"] == name]) for tier, name in names]
    return [*lines, _line("all", None, rows)]


def _line(name: str, tier: int | None, rows: Sequence[dict[str, Any]]) -> ShadowLine:
    told = [row["would_have_been_right"] for row in rows]
    earlier = [row["minutes_earlier"] for row in rows if row["minutes_earlier"] is not None]
    return ShadowLine(
        mitigation=name,
        tier=tier,
        acts=len(rows),
        right=told.count(True),
        wrong=told.count(False),
        cannot_be_told=told.count(None),
        minutes_earlier=median(earlier) if earlier else None,
    )

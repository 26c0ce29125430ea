"""Length of the history, and its feedback by issue type: the reason why no issue is open on a young home."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from dagster_project import lake
from dagster_project.decisioning.playbook import load_playbook
from dagster_project.decisioning.windows import WINDOWS
from dagster_project.home import Home

_RECENT_DAYS = WINDOWS["baseline_first_day"]
"""The latest days, which no baseline counts (int_baseline.sql)."""


@dataclass(frozen=True)
class History:
    """Days of feedback of the product with most of them, days needed, and pieces of feedback by issue type."""

    days: int
    days_needed: int
    by_type: dict[str, int]
    abstained: int

    @property
    def is_short(self) -> bool:
        """True while no issue can open."""
        return self.days < self.days_needed

    def lines(self) -> list[str]:
        """The same for a terminal."""
        counts = ", ".join(f"{count:,} {name}" for name, count in self.by_type.items())
        declined = f"; {self.abstained:,} of them because the classifier declined" if self.abstained else ""
        return [
            f"no open issues yet: there are {self.days} days of feedback, and {self.days_needed} are needed before"
            f" anything opens (`min_baseline_days` in playbook.yml, and the latest {_RECENT_DAYS})",
            f"understood so far: {counts or 'nothing'}{declined}",
        ]


def history(home: Home) -> History:
    """Measure the home's history, from the lake."""
    spans = (
        lake.scan(home, "feedback")
        .group_by("product")
        .agg(days=(pl.max("occurred_at") - pl.min("occurred_at")).dt.total_days() + 1)
        .collect()
    )
    labels = lake.scan(home, "labels").sort("known_at", "labeled_at").unique("feedback_id", keep="last").collect()
    counts = labels["issue_type"].value_counts(sort=True)
    return History(
        days=max(spans["days"].to_list(), default=0),
        days_needed=round(load_playbook(home.playbook).detection.min_baseline_days) + _RECENT_DAYS,
        by_type=dict(counts.iter_rows()),
        abstained=int(labels["abstained"].sum()),
    )

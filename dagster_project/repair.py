"""Deep check of a home: lake files, models and published copy against their hashes, whatever the time of writing.

A turn compares only files whose size or time of writing differ. This reads everything, sets aside what is broken, and
lists what is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dagster_project import lake_files
from dagster_project.decisioning.published import mend_published
from dagster_project.files import telling_repairs
from dagster_project.home import Home
from dagster_project.lake_files import Lost
from dagster_project.lake_tables import LAKE_TABLES
from dagster_project.state import read_all


@dataclass
class RepairReport:
    """Repairs that were made, rows that are lost, and rows that were given up."""

    repairs: list[str] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    given_up: list[Lost] = field(default_factory=list)

    def lines(self) -> list[str]:
        """One line each for a person."""
        said = [f"lost: {one}; the next run lands or labels it again, if its source is there" for one in self.lost]
        said += [f"given up: {one}" for one in self.given_up]
        return [*self.repairs, *said] or ["everything is as it was written"]


def mend(home: Home, *, give_up: bool = False, progress: Callable[[str], None] = lambda _: None) -> RepairReport:
    """Check everything under a home that a turn reads; with ``give_up``, forget what is lost."""
    from models_ml.training.registry import check_champion

    report = RepairReport()
    with telling_repairs(progress) as report.repairs:
        for table in LAKE_TABLES:
            report.lost += lake_files.check(home, table, deep=True)
        read_all(home)
        check_champion(home.models)
        mend_published(home)
    if give_up:
        lake_files.forget(home, report.lost)
        report.lost, report.given_up = [], report.lost
    return report

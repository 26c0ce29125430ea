"""Simulation of one world: its timeline, and its rows per lake table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from dagster_project.simulation.worlds import accounts, changes, feedback, telemetry
from dagster_project.simulation.worlds.timeline import Floats, Timeline


@dataclass
class Simulation(Timeline):
    """A world's timeline and rows; ``label_errors`` is the share of random label errors, 0-1."""

    label_errors: float = 0.0

    @cached_property
    def rows(self) -> dict[str, pl.DataFrame]:
        """Rows by lake table (relevant columns; feedback carries its label)."""
        return self._drawn()

    def _drawn(self) -> dict[str, pl.DataFrame]:
        """Rows drawn from one stream in this order."""
        drawn = {
            "feedback": accounts.signed(self, feedback.feedback(self, self.label_errors)),
            "customers": accounts.customers(self),
            "releases": changes.releases(self),
            "flag_changes": changes.flag_changes(self),
            "campaigns": changes.campaigns(self),
        }
        if self.world.plot.quirk != "telemetry_missing":
            funnel = telemetry.funnel_metrics(self)
            drawn |= {"service_metrics": telemetry.service_metrics(self), "funnel_metrics": funnel}
            drawn["orders"] = telemetry.orders(self, funnel)
        return drawn

    @cached_property
    def complained(self) -> Floats:
        """Hours from the onset at which complaints that the expected failure caused became known, in order."""
        caused = pl.col("is_caused") & pl.col("issue_type").is_in(self.world.plot.expected)
        known = self.rows["feedback"].filter(caused)["known_at"] - self.onset_at()
        hours: Floats = np.sort(known.dt.total_microseconds().to_numpy() / 3.6e9)
        return hours

"""Simulation of one world: its timeline, and its rows per lake table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from dagster_project.simulation.worlds import accounts, changes, feedback, telemetry
from dagster_project.simulation.worlds.timeline import Timeline


@dataclass
class Simulation(Timeline):
    """A world's timeline and rows; ``label_errors`` is the share of random label errors, 0-1."""

    label_errors: float = 0.0

    @cached_property
    def rows(self) -> dict[str, pl.DataFrame]:
        """Rows by lake table (relevant columns; feedback carries its label), drawn from one stream in this order."""
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

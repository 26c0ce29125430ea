"""One world drawn: its course, and the rows that it leaves in the lake."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from dagster_project.measurement.scenarios import announced, sayings, telemetry
from dagster_project.measurement.scenarios.course import Course


@dataclass
class Drawing(Course):
    """A world's course and its rows; ``label_errors`` is the share of labels that are wrong at random."""

    label_errors: float = 0.0

    @cached_property
    def feedback(self) -> pl.DataFrame:
        """What is said, with its label: the columns of both lake tables that matter."""
        return sayings.feedback(self, self.label_errors)

    @cached_property
    def service_metrics(self) -> pl.DataFrame:
        """Requests and errors by service, platform and version."""
        return telemetry.service_metrics(self)

    @cached_property
    def funnel_metrics(self) -> pl.DataFrame:
        """People who entered and completed each step, by platform."""
        return telemetry.funnel_metrics(self)

    @cached_property
    def orders(self) -> pl.DataFrame:
        """One row for each completed order."""
        return telemetry.orders(self, self.funnel_metrics)

    @cached_property
    def release_rows(self) -> pl.DataFrame:
        """Every release of the product."""
        return announced.release_rows(self)

    @cached_property
    def flag_rows(self) -> pl.DataFrame:
        """Every switch of a flag."""
        return announced.flag_rows(self)

    @cached_property
    def campaign_rows(self) -> pl.DataFrame:
        """Announced campaigns."""
        return announced.campaign_rows(self)
